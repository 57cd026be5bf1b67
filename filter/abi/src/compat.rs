//! Whether the Envoy that loads us speaks the ABI we were written for. Envoy itself only warns when a module's ABI
//! version differs from its own, so the module checks: when it is loaded, for functions that came with this version;
//! and once per configuration, on a request, that the attribute numbers mean what we take them for. A wrong number
//! would make a filter read, say, our own certificate where it wants the peer's.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::abi::envoy_dynamic_module_type_attribute_id as Attribute;
use crate::http::EnvoyHttpFilter;

/// Functions that ABI `v0.2.0` (Envoy 1.40) brought; an older Envoy has none of them.
const BROUGHT_BY_THIS_VERSION: [&CStr; 3] = [
    c"envoy_dynamic_module_callback_http_has_filter_state",
    c"envoy_dynamic_module_callback_http_filter_config_generic_secret_subscribe",
    c"envoy_dynamic_module_callback_log_v2",
];

unsafe extern "C" {
    fn dlopen(path: *const c_char, mode: c_int) -> *mut c_void;
    fn dlsym(handle: *mut c_void, symbol: *const c_char) -> *mut c_void;
}

const RTLD_LAZY: c_int = 1;

/// The functions of this ABI version that the running Envoy lacks; empty when it is new enough.
pub(crate) fn missing_host_functions() -> Vec<&'static CStr> {
    // SAFETY: a null path gives the handle of the running program itself, which is never unloaded.
    let host = unsafe { dlopen(std::ptr::null(), RTLD_LAZY) };
    BROUGHT_BY_THIS_VERSION
        .into_iter()
        // SAFETY: the handle is valid (or null, which finds nothing of ours), the name is NUL-terminated.
        .filter(|name| unsafe { dlsym(host, name.as_ptr()) }.is_null())
        .collect()
}

/// Remembers, per configuration, that the attribute numbers were found right.
#[derive(Default)]
pub(crate) struct AttributeCheck {
    passed: AtomicBool,
}

impl AttributeCheck {
    /// Compares attributes that can be known otherwise with what is known, at the front of the enumeration, in its
    /// middle and behind all that we use, so that an entry added anywhere between shows. `false` means that no
    /// attribute may be trusted. Asked until it holds once.
    pub(crate) fn holds<EHF: EnvoyHttpFilter>(&self, envoy: &EHF) -> bool {
        if self.passed.load(Ordering::Relaxed) {
            return true;
        }
        let text = |attribute| envoy.get_attribute_string(attribute).map(|value| value.as_slice());
        let header = |name| envoy.get_request_header_value(name).map(|value| value.as_slice());
        let cluster = envoy.get_cluster_name().map(|name| name.as_slice());
        // A Unix socket has no port.
        let source = text(Attribute::SourceAddress).unwrap_or_default();
        let source_fits = envoy
            .get_attribute_int(Attribute::SourcePort)
            .is_none_or(|port| source.ends_with(format!(":{port}").as_bytes()));
        let holds = text(Attribute::RequestPath) == header(":path")
            && text(Attribute::RequestMethod) == header(":method")
            && source_fits
            && text(Attribute::XdsClusterName) == cluster
            && envoy.get_attribute_int(Attribute::XdsListenerDirection).is_some();
        self.passed.store(holds, Ordering::Relaxed);
        holds
    }
}
