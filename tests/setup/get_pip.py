"""Stands in for the get-pip script that ansible-test downloads: installs pip from what Python itself brings.

It is called as the original is: options of `pip install`, and `--no-setuptools` and `--no-wheel`, which say what is not
wanted beside pip and have no meaning here.
"""

from __future__ import annotations

import subprocess
import sys

wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([sys.executable, "-m", "pip", "install", "--retries=10", *wanted], check=True)
