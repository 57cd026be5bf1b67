//! A stand-in of Envoy: the callbacks, over one stream that is kept in memory.
#![expect(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::cell::RefCell;
use std::ffi::{c_char, c_void};

use envoy_dynamic_module::abi::*;

/// One stream, and what was done to it.
pub(crate) struct Host {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) trailers: Vec<(String, String)>,
    /// The JSON, or whatever the module takes, of the stream's route.
    pub(crate) route_config: Option<String>,
    /// Attributes of the connection, by number.
    pub(crate) attributes: Vec<(u32, String)>,
    /// From this number on the attributes have moved up by one.
    pub(crate) attributes_moved_from: u32,
    pub(crate) answer: Option<Answer>,
    pub(crate) stopped_at: Option<Hook>,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) filter_state: Vec<(String, String)>,
    /// What `get_most_specific_route_config` returns.
    pub(crate) route_config_ptr: *const c_void,
    /// Counters by number, and what was added.
    pub(crate) counted: Vec<(usize, u64)>,
}

/// What was sent in the upstream's place.
#[derive(Clone, Debug, Default, PartialEq)]
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

pub(crate) fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Default for Host {
    fn default() -> Self {
        Self {
            headers: owned(&[
                (":path", "/a?b"),
                (":method", "GET"),
                ("twice", "1"),
                ("gone", "x"),
                ("twice", "2"),
            ]),
            trailers: Vec::new(),
            route_config: None,
            attributes: vec![(24, "192.0.2.1:99".to_owned())],
            attributes_moved_from: u32::MAX,
            answer: None,
            stopped_at: None,
            metadata: Vec::new(),
            filter_state: Vec::new(),
            route_config_ptr: std::ptr::null(),
            counted: Vec::new(),
        }
    }
}

impl Host {
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    fn lines(&mut self, map: u32) -> &mut Vec<(String, String)> {
        match map {
            0 => &mut self.headers,
            1 => &mut self.trailers,
            _ => panic!("the stand-in has no header map {map}"),
        }
    }

    /// The attribute of ours that this host has at a number.
    fn meant_by(&self, id: u32) -> u32 {
        id - u32::from(id > self.attributes_moved_from)
    }

    fn attribute(&self, id: u32) -> Option<&str> {
        match self.meant_by(id) {
            0 => self.values(":path").pop(),
            1 => Some("/a"),
            2 => self.values(":authority").pop(),
            4 => self.values(":method").pop(),
            57 => Some("books"),
            other => self.attributes.iter().find(|(id, _)| *id == other).map(|(_, value)| value.as_str()),
        }
    }
}

unsafe extern "C" {
    fn envoy_dynamic_module_on_program_init() -> *const c_char;
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

/// The module with one configuration.
pub(crate) struct Module {
    config: *const c_void,
    /// Names and values of the counters, by number.
    counters: Box<RefCell<Vec<(String, u64)>>>,
}

impl Module {
    /// `None` if the module refuses the configuration.
    pub(crate) fn start(name: &str, config: &[u8]) -> Option<Self> {
        let counters = Box::<RefCell<Vec<(String, u64)>>>::default();
        // SAFETY: the signatures are the module's. A config hook's host pointer is only handed back to us, by the
        // callbacks that define metrics.
        let config = unsafe {
            assert!(!envoy_dynamic_module_on_program_init().is_null(), "the module refuses this host");
            let envoy = std::ptr::from_ref(&*counters).cast_mut().cast::<c_void>();
            envoy_dynamic_module_on_http_filter_config_new(envoy, lend(name.as_bytes()), lend(config))
        };
        if config.is_null() { None } else { Some(Self { config, counters }) }
    }

    /// Whether the module takes a route's configuration.
    pub(crate) fn accepts_route(name: &str, config: &[u8]) -> bool {
        let route = new_route(name, config);
        destroy_route(route);
        !route.is_null()
    }

    /// Runs one stream through all hooks up to the first that stops it, then ends it, as Envoy does.
    pub(crate) fn run(&self, mut host: Host) -> Host {
        if let Some(route) = &host.route_config {
            host.route_config_ptr = new_route("authz", route.as_bytes());
            assert!(!host.route_config_ptr.is_null(), "route configuration refused: {route}");
        }
        let host = RefCell::new(host);
        let envoy = std::ptr::from_ref(&host).cast_mut().cast::<c_void>();
        // SAFETY: the hooks are called in Envoy's order with the pointers they returned; the host outlives them.
        unsafe {
            let stream = envoy_dynamic_module_on_http_filter_new(self.config, envoy);
            assert!(!stream.is_null());
            let hooks: [(Hook, &dyn Fn() -> u32); 6] = [
                (Hook::RequestHeaders, &|| {
                    envoy_dynamic_module_on_http_filter_request_headers(envoy, stream, false)
                }),
                (Hook::RequestBody, &|| {
                    envoy_dynamic_module_on_http_filter_request_body(envoy, stream, false)
                }),
                (Hook::RequestTrailers, &|| {
                    envoy_dynamic_module_on_http_filter_request_trailers(envoy, stream)
                }),
                (Hook::ResponseHeaders, &|| {
                    envoy_dynamic_module_on_http_filter_response_headers(envoy, stream, false)
                }),
                (Hook::ResponseBody, &|| {
                    envoy_dynamic_module_on_http_filter_response_body(envoy, stream, false)
                }),
                (Hook::ResponseTrailers, &|| {
                    envoy_dynamic_module_on_http_filter_response_trailers(envoy, stream)
                }),
            ];
            let stopped = hooks.iter().find(|(_, call)| call() != 0).map(|(hook, _)| *hook);
            host.borrow_mut().stopped_at = stopped;
            envoy_dynamic_module_on_http_filter_stream_complete(envoy, stream);
            envoy_dynamic_module_on_http_filter_destroy(stream);
        }
        let host = host.into_inner();
        destroy_route(host.route_config_ptr);
        for (id, value) in &host.counted {
            self.counters.borrow_mut()[*id].1 += value;
        }
        host
    }

    /// The value of a counter, which must be defined.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let counters = self.counters.borrow();
        counters.iter().find(|(defined, _)| defined == name).map(|(_, value)| *value).unwrap()
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: made by `config_new`, and given back once; no stream is left.
        unsafe { envoy_dynamic_module_on_http_filter_config_destroy(self.config) };
    }
}

fn new_route(name: &str, config: &[u8]) -> *const c_void {
    // SAFETY: the signature is the module's.
    unsafe { envoy_dynamic_module_on_http_filter_per_route_config_new(lend(name.as_bytes()), lend(config)) }
}

fn destroy_route(route: *const c_void) {
    if !route.is_null() {
        // SAFETY: made by `new_route`, and given back once.
        unsafe { envoy_dynamic_module_on_http_filter_per_route_config_destroy(route) };
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

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_config_define_counter(
    envoy: *mut c_void,
    name: envoy_dynamic_module_type_module_buffer,
    _label_names: *const envoy_dynamic_module_type_module_buffer,
    labels: usize,
    id: *mut usize,
) -> u32 {
    assert_eq!(labels, 0);
    // SAFETY: `Module::start` passed this pointer; the module passes a writable out-parameter.
    let (counters, id) = unsafe { (&*envoy.cast::<RefCell<Vec<(String, u64)>>>(), &mut *id) };
    let mut counters = counters.borrow_mut();
    *id = counters.len();
    counters.push((lent(name).unwrap(), 0));
    0
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_increment_counter(
    envoy: *mut c_void,
    id: usize,
    _label_values: *const envoy_dynamic_module_type_module_buffer,
    labels: usize,
    value: u64,
) -> u32 {
    assert_eq!(labels, 0);
    stream(envoy).borrow_mut().counted.push((id, value));
    0
}

/// The callbacks of other metrics, which the stand-in does not keep.
macro_rules! other_metrics {
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
            unsafe { *id = 0 };
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

other_metrics! {
    define envoy_dynamic_module_callback_http_filter_config_define_gauge;
    define envoy_dynamic_module_callback_http_filter_config_define_histogram;
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
    let (mut host, key) = (stream(envoy).borrow_mut(), lent(key).unwrap());
    let values: Vec<_> =
        host.lines(map).iter().filter(|(name, _)| *name == key).map(|(_, value)| value.as_str()).collect();
    // SAFETY: the module passes a writable out-parameter.
    unsafe { *total = values.len() };
    fill(result, values.get(index).copied())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_headers_size(envoy: *mut c_void, map: u32) -> usize {
    stream(envoy).borrow_mut().lines(map).len()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_headers(
    envoy: *mut c_void,
    map: u32,
    result: *mut envoy_dynamic_module_type_envoy_http_header,
) -> bool {
    for (index, (key, value)) in stream(envoy).borrow_mut().lines(map).iter().enumerate() {
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
    stream(envoy).borrow_mut().lines(map).push((lent(key).unwrap(), lent(value).unwrap()));
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_set_header(
    envoy: *mut c_void,
    map: u32,
    key: envoy_dynamic_module_type_module_buffer,
    value: envoy_dynamic_module_type_module_buffer,
) -> bool {
    let (key, value) = (lent(key).unwrap(), lent(value));
    let mut host = stream(envoy).borrow_mut();
    let headers = host.lines(map);
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
    envoy: *mut c_void,
    attribute: u32,
    result: *mut bool,
) -> bool {
    let host = stream(envoy).borrow();
    let value = host.attribute(attribute);
    // SAFETY: the module passes a writable out-parameter.
    unsafe { *result = value == Some("true") };
    value.is_some()
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
