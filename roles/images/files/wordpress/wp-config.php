<?php
/*
 * Configuration of WordPress from the environment: WORDPRESS_DB_HOST, WORDPRESS_DB_USER,
 * WORDPRESS_DB_PASSWORD, WORDPRESS_DB_NAME, WORDPRESS_TABLE_PREFIX and their siblings, each also with
 * _FILE behind it. Files are read at every request, so a rotated password needs no restart.
 */
function flatrun_setting(string $name, string $default): string
{
    $file = getenv($name . '_FILE');
    if ($file !== false && $file !== '') {
        return rtrim((string) file_get_contents($file), "\r\n");
    }
    $value = getenv($name);
    return $value === false ? $default : $value;
}

define('DB_NAME', flatrun_setting('WORDPRESS_DB_NAME', 'wordpress'));
define('DB_USER', flatrun_setting('WORDPRESS_DB_USER', 'wordpress'));
define('DB_PASSWORD', flatrun_setting('WORDPRESS_DB_PASSWORD', ''));
define('DB_HOST', flatrun_setting('WORDPRESS_DB_HOST', 'mysql'));
define('DB_CHARSET', flatrun_setting('WORDPRESS_DB_CHARSET', 'utf8mb4'));
define('DB_COLLATE', flatrun_setting('WORDPRESS_DB_COLLATE', ''));
$table_prefix = flatrun_setting('WORDPRESS_TABLE_PREFIX', 'wp_');

// Keys that are not given are made once, by the entrypoint.
$flatrun_keys = is_readable(__DIR__ . '/.flatrun-keys.php') ? (array) include __DIR__ . '/.flatrun-keys.php' : [];
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as $flatrun_key) {
    define($flatrun_key, flatrun_setting('WORDPRESS_' . $flatrun_key, (string) ($flatrun_keys[$flatrun_key] ?? '')));
}

define('WP_DEBUG', (bool) flatrun_setting('WORDPRESS_DEBUG', ''));

// TLS ends at the proxy in front; without this WordPress would redirect to https for ever.
if (strpos(strtolower($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? ''), 'https') !== false) {
    $_SERVER['HTTPS'] = 'on';
}

// More PHP of the caller's, as the official image takes it.
$flatrun_extra = flatrun_setting('WORDPRESS_CONFIG_EXTRA', '');
if ($flatrun_extra !== '') {
    eval($flatrun_extra);
}

if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
