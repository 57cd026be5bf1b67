//! Lines in Envoy's own log, under its logger `dynamic_modules`. Callable from any thread.

use crate::abi::{
    self, envoy_dynamic_module_type_log_level as Level, envoy_dynamic_module_type_module_buffer as Lent,
};

/// Whether a line of this level would be written; cheap, so that a message is formatted only when wanted.
pub fn enabled(level: Level) -> bool {
    // SAFETY: takes a value and touches nothing of ours.
    unsafe { abi::envoy_dynamic_module_callback_log_enabled(level) }
}

/// Writes one line.
pub fn write(level: Level, message: &str) {
    // SAFETY: the message outlives the call, and Envoy copies it.
    unsafe { abi::envoy_dynamic_module_callback_log(level, Lent::lend(message.as_bytes())) }
}

/// Logs with `format!` arguments at a given level of `abi::envoy_dynamic_module_type_log_level`.
#[macro_export]
macro_rules! envoy_log {
    ($level:ident, $($arg:tt)+) => {{
        let level = $crate::abi::envoy_dynamic_module_type_log_level::$level;
        if $crate::log::enabled(level) {
            $crate::log::write(level, &format!($($arg)+));
        }
    }};
}

/// Logs at `critical`.
#[macro_export]
macro_rules! envoy_log_critical { ($($arg:tt)+) => { $crate::envoy_log!(Critical, $($arg)+) }; }

/// Logs at `error`.
#[macro_export]
macro_rules! envoy_log_error { ($($arg:tt)+) => { $crate::envoy_log!(Error, $($arg)+) }; }

/// Logs at `warning`.
#[macro_export]
macro_rules! envoy_log_warn { ($($arg:tt)+) => { $crate::envoy_log!(Warn, $($arg)+) }; }

/// Logs at `info`.
#[macro_export]
macro_rules! envoy_log_info { ($($arg:tt)+) => { $crate::envoy_log!(Info, $($arg)+) }; }

/// Logs at `debug`.
#[macro_export]
macro_rules! envoy_log_debug { ($($arg:tt)+) => { $crate::envoy_log!(Debug, $($arg)+) }; }
