//! A stand-in of Envoy: the callbacks, over one stream that is kept in memory.
#![expect(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::cell::RefCell;
use std::ffi::{c_char, c_void};

use envoy_dynamic_module::abi::*;

/// One stream, and what was done to it.
pub(crate) struct Host {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) route_config: Option<&'static str>,
    /// From this number on the attributes have moved up by one.
    pub(crate) attributes_moved_from: u32,
    pub(crate) answer: Option<Answer>,
    pub(crate) stopped_at: Option<Hook>,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) filter_state: Vec<(String, String)>,
    /// What `get_most_specific_route_config` returns.
    pub(crate) route_config_ptr: *const c_void,
}

/// What was sent in the upstream's place.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u32,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    pub(crate) details: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hook {
    RequestHeaders,
    RequestBody,
    RequestTrailers,
    ResponseHeaders,
    ResponseBody,
    ResponseTrailers,
}

impl Default for Host {
    fn default() -> Self {
        let headers = [(":path", "/a?b"), (":method", "GET"), ("twice", "1"), ("gone", "x"), ("twice", "2")];
        Self {
            headers: headers.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            route_config: None,
            attributes_moved_from: u32::MAX,
            answer: None,
            stopped_at: None,
            metadata: Vec::new(),
            filter_state: Vec::new(),
            route_config_ptr: std::ptr::null(),
        }
    }
}

impl Host {
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The attribute of ours that this host has at a number.
    fn meant_by(&self, id: u32) -> u32 {
        id - u32::from(id > self.attributes_moved_from)
    }

    fn attribute(&self, id: u32) -> Option<&str> {
        match self.meant_by(id) {
            0 => self.values(":path").pop(),
            1 => Some("/a"),
            4 => self.values(":method").pop(),
            24 => Some("192.0.2.1:99"),
            57 => Some("books"),
            _ => None,
        }
    }
}

unsafe extern "C" {
    fn envoy_dynamic_module_on_http_filter_config_new(
        envoy: *mut c_void,
        name: envoy_dynamic_module_type_envoy_buffer,
        config: envoy_dynamic_module_type_envoy_buffer,
    ) -> *const c_void;
    fn envoy_dynamic_module_on_http_filter_config_destroy(config: *const c_void);
    fn envoy_dynamic_module_on_http_filter_per_route_config_new(
        name: envoy_dynamic_module_type_envoy_buffer,
        config: envoy_dynamic_module_type_envoy_buffer,
    ) -> *const c_void;
    fn envoy_dynamic_module_on_http_filter_per_route_config_destroy(config: *const c_void);
    fn envoy_dynamic_module_on_http_filter_new(config: *const c_void, envoy: *mut c_void) -> *const c_void;
    fn envoy_dynamic_module_on_http_filter_destroy(stream: *const c_void);
    fn envoy_dynamic_module_on_http_filter_request_headers(
        e: *mut c_void,
        s: *const c_void,
        end: bool,
    ) -> u32;
    fn envoy_dynamic_module_on_http_filter_request_body(e: *mut c_void, s: *const c_void, end: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_request_trailers(e: *mut c_void, s: *const c_void) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_headers(
        e: *mut c_void,
        s: *const c_void,
        end: bool,
    ) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_body(e: *mut c_void, s: *const c_void, end: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_trailers(e: *mut c_void, s: *const c_void) -> u32;
    fn envoy_dynamic_module_on_http_filter_stream_complete(e: *mut c_void, s: *const c_void);
}

fn lend(bytes: &[u8]) -> envoy_dynamic_module_type_envoy_buffer {
    envoy_dynamic_module_type_envoy_buffer { ptr: bytes.as_ptr().cast(), length: bytes.len() }
}

fn new_config(config: &[u8]) -> *const c_void {
    assert!(!crate::envoy_dynamic_module_on_program_init().is_null(), "the module refuses this host");
    // SAFETY: the signatures are the module's; a config hook's host pointer is only handed back to us.
    unsafe {
        envoy_dynamic_module_on_http_filter_config_new(std::ptr::null_mut(), lend(b"authz"), lend(config))
    }
}

pub(crate) fn accepts_config(config: &[u8]) -> bool {
    let config = new_config(config);
    if !config.is_null() {
        // SAFETY: just made, and given back once.
        unsafe { envoy_dynamic_module_on_http_filter_config_destroy(config) };
    }
    !config.is_null()
}

pub(crate) fn accepts_route_config(config: &[u8]) -> bool {
    // SAFETY: the signature is the module's.
    let config =
        unsafe { envoy_dynamic_module_on_http_filter_per_route_config_new(lend(b"authz"), lend(config)) };
    if !config.is_null() {
        // SAFETY: just made, and given back once.
        unsafe { envoy_dynamic_module_on_http_filter_per_route_config_destroy(config) };
    }
    !config.is_null()
}

/// Runs one stream through all hooks up to the first that stops it, then ends it, as Envoy does.
pub(crate) fn run_stream(mut host: Host) -> Host {
    let config = new_config(b"");
    assert!(!config.is_null());
    // SAFETY: the hooks are called in Envoy's order with the pointers they returned; the host outlives them.
    unsafe {
        if let Some(route) = host.route_config {
            host.route_config_ptr = envoy_dynamic_module_on_http_filter_per_route_config_new(
                lend(b"authz"),
                lend(route.as_bytes()),
            );
        }
        let host = RefCell::new(host);
        let envoy = std::ptr::from_ref(&host).cast_mut().cast::<c_void>();
        let stream = envoy_dynamic_module_on_http_filter_new(config, envoy);
        assert!(!stream.is_null());
        let hooks: [(Hook, &dyn Fn() -> u32); 6] = [
            (Hook::RequestHeaders, &|| {
                envoy_dynamic_module_on_http_filter_request_headers(envoy, stream, false)
            }),
            (Hook::RequestBody, &|| envoy_dynamic_module_on_http_filter_request_body(envoy, stream, false)),
            (Hook::RequestTrailers, &|| envoy_dynamic_module_on_http_filter_request_trailers(envoy, stream)),
            (Hook::ResponseHeaders, &|| {
                envoy_dynamic_module_on_http_filter_response_headers(envoy, stream, false)
            }),
            (Hook::ResponseBody, &|| envoy_dynamic_module_on_http_filter_response_body(envoy, stream, false)),
            (Hook::ResponseTrailers, &|| {
                envoy_dynamic_module_on_http_filter_response_trailers(envoy, stream)
            }),
        ];
        let stopped = hooks.iter().find(|(_, call)| call() != 0).map(|(hook, _)| *hook);
        host.borrow_mut().stopped_at = stopped;
        envoy_dynamic_module_on_http_filter_stream_complete(envoy, stream);
        envoy_dynamic_module_on_http_filter_destroy(stream);
        envoy_dynamic_module_on_http_filter_config_destroy(config);
        let host = host.into_inner();
        if !host.route_config_ptr.is_null() {
            envoy_dynamic_module_on_http_filter_per_route_config_destroy(host.route_config_ptr);
        }
        host
    }
}

fn stream<'a>(envoy: *mut c_void) -> &'a RefCell<Host> {
    // SAFETY: the module hands back the pointer that `run_stream` gave it, while that runs.
    unsafe { &*envoy.cast::<RefCell<Host>>() }
}

fn text(ptr: *const c_char, length: usize) -> String {
    // SAFETY: the module lends `length` bytes for the length of the call.
    let bytes = unsafe { std::slice::from_raw_parts(ptr.cast::<u8>(), length) };
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn lent(buffer: envoy_dynamic_module_type_module_buffer) -> Option<String> {
    (!buffer.ptr.is_null()).then(|| text(buffer.ptr, buffer.length))
}

fn fill(result: *mut envoy_dynamic_module_type_envoy_buffer, value: Option<&str>) -> bool {
    if let Some(value) = value {
        // SAFETY: the module passes a writable out-parameter.
        unsafe { *result = lend(value.as_bytes()) };
    }
    value.is_some()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_log(
    _level: envoy_dynamic_module_type_log_level,
    message: envoy_dynamic_module_type_module_buffer,
) {
    eprintln!("{}", lent(message).unwrap());
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_log_enabled(_level: envoy_dynamic_module_type_log_level) -> bool {
    true
}

/// The metric callbacks; the stand-in keeps no metrics.
macro_rules! metrics {
    ($(define $define:ident;)* $(change $change:ident;)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $define(
            _: *mut c_void,
            _: envoy_dynamic_module_type_module_buffer,
            _: *const envoy_dynamic_module_type_module_buffer,
            _: usize,
            id: *mut usize,
        ) -> u32 {
            // SAFETY: the module passes a writable out-parameter.
            unsafe { *id = 1 };
            0
        })*
        $(#[unsafe(no_mangle)]
        extern "C" fn $change(
            _: *mut c_void,
            _: usize,
            _: *const envoy_dynamic_module_type_module_buffer,
            _: usize,
            _: u64,
        ) -> u32 {
            0
        })*
    };
}

metrics! {
    define envoy_dynamic_module_callback_http_filter_config_define_counter;
    define envoy_dynamic_module_callback_http_filter_config_define_gauge;
    define envoy_dynamic_module_callback_http_filter_config_define_histogram;
    change envoy_dynamic_module_callback_http_filter_increment_counter;
    change envoy_dynamic_module_callback_http_filter_set_gauge;
    change envoy_dynamic_module_callback_http_filter_record_histogram_value;
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_header(
    envoy: *mut c_void,
    map: u32,
    key: envoy_dynamic_module_type_module_buffer,
    result: *mut envoy_dynamic_module_type_envoy_buffer,
    index: usize,
    total: *mut usize,
) -> bool {
    assert_eq!(map, 0);
    let host = stream(envoy).borrow();
    let values = host.values(&lent(key).unwrap());
    // SAFETY: the module passes a writable out-parameter.
    unsafe { *total = values.len() };
    fill(result, values.get(index).copied())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_headers_size(envoy: *mut c_void, map: u32) -> usize {
    assert_eq!(map, 0);
    stream(envoy).borrow().headers.len()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_headers(
    envoy: *mut c_void,
    map: u32,
    result: *mut envoy_dynamic_module_type_envoy_http_header,
) -> bool {
    assert_eq!(map, 0);
    for (index, (key, value)) in stream(envoy).borrow().headers.iter().enumerate() {
        let header = envoy_dynamic_module_type_envoy_http_header {
            key_ptr: key.as_ptr().cast(),
            key_length: key.len(),
            value_ptr: value.as_ptr().cast(),
            value_length: value.len(),
        };
        // SAFETY: the module promises room for as many as `get_headers_size` said.
        unsafe { result.add(index).write(header) };
    }
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_add_header(
    envoy: *mut c_void,
    map: u32,
    key: envoy_dynamic_module_type_module_buffer,
    value: envoy_dynamic_module_type_module_buffer,
) -> bool {
    assert_eq!(map, 0);
    stream(envoy).borrow_mut().headers.push((lent(key).unwrap(), lent(value).unwrap()));
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_set_header(
    envoy: *mut c_void,
    map: u32,
    key: envoy_dynamic_module_type_module_buffer,
    value: envoy_dynamic_module_type_module_buffer,
) -> bool {
    assert_eq!(map, 0);
    let (key, value) = (lent(key).unwrap(), lent(value));
    let headers = &mut stream(envoy).borrow_mut().headers;
    headers.retain(|(name, _)| *name != key);
    headers.extend(value.map(|value| (key, value)));
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_send_response(
    envoy: *mut c_void,
    status: u32,
    headers: *const envoy_dynamic_module_type_module_http_header,
    headers_size: usize,
    body: envoy_dynamic_module_type_module_buffer,
    details: envoy_dynamic_module_type_module_buffer,
) {
    // SAFETY: the module lends `headers_size` headers for the length of the call.
    let headers = unsafe { std::slice::from_raw_parts(headers, headers_size) };
    let headers = headers.iter().map(|h| (text(h.key_ptr, h.key_length), text(h.value_ptr, h.value_length)));
    let answer = Answer { status, headers: headers.collect(), body: lent(body), details: lent(details) };
    stream(envoy).borrow_mut().answer = Some(answer);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(
    envoy: *mut c_void,
    namespace: envoy_dynamic_module_type_module_buffer,
    entries: *const envoy_dynamic_module_type_module_key_value_pair,
    entries_size: usize,
) {
    let namespace = lent(namespace).unwrap();
    // SAFETY: the module lends `entries_size` entries for the length of the call.
    let entries = unsafe { std::slice::from_raw_parts(entries, entries_size) };
    let entries = entries.iter().map(|entry| {
        let key = text(entry.key_ptr, entry.key_length);
        (format!("{namespace}:{key}"), text(entry.value_ptr, entry.value_length))
    });
    stream(envoy).borrow_mut().metadata.extend(entries);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_set_filter_state_bytes(
    envoy: *mut c_void,
    key: envoy_dynamic_module_type_module_buffer,
    value: envoy_dynamic_module_type_module_buffer,
) -> bool {
    stream(envoy).borrow_mut().filter_state.push((lent(key).unwrap(), lent(value).unwrap()));
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
    envoy: *mut c_void,
    attribute: u32,
    result: *mut envoy_dynamic_module_type_envoy_buffer,
) -> bool {
    fill(result, stream(envoy).borrow().attribute(attribute))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_get_attribute_int(
    envoy: *mut c_void,
    attribute: u32,
    result: *mut u64,
) -> bool {
    let value = match stream(envoy).borrow().meant_by(attribute) {
        25 => Some(99),
        59 => Some(0),
        _ => None,
    };
    // SAFETY: the module passes a writable out-parameter.
    unsafe { *result = value.unwrap_or_default() };
    value.is_some()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_get_attribute_bool(
    _envoy: *mut c_void,
    attribute: u32,
    result: *mut bool,
) -> bool {
    // SAFETY: the module passes a writable out-parameter.
    unsafe { *result = false };
    attribute == envoy_dynamic_module_type_attribute_id::ConnectionMtls as u32
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_cluster_name(
    _envoy: *mut c_void,
    result: *mut envoy_dynamic_module_type_envoy_buffer,
) -> bool {
    fill(result, Some("books"))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_get_most_specific_route_config(
    envoy: *mut c_void,
) -> *const c_void {
    stream(envoy).borrow().route_config_ptr
}

// Present, so that the module takes this program for an Envoy that is new enough.

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_has_filter_state() {}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_config_generic_secret_subscribe() {}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_log_v2() {}
