//! Envoy behind the traits: [`EnvoyHttpFilterImpl`] and [`EnvoyHttpFilterConfigImpl`] call the host's functions.

use std::any::Any;
use std::mem::MaybeUninit;

use crate::abi::{
    self, envoy_dynamic_module_type_attribute_id as Attribute,
    envoy_dynamic_module_type_envoy_buffer as RawBuffer,
    envoy_dynamic_module_type_envoy_http_header as RawHeader,
    envoy_dynamic_module_type_http_filter_config_envoy_ptr as ConfigPtr,
    envoy_dynamic_module_type_http_filter_envoy_ptr as FilterPtr,
    envoy_dynamic_module_type_http_header_type as HeaderMap,
    envoy_dynamic_module_type_metrics_result as MetricsError,
    envoy_dynamic_module_type_module_buffer as Lent,
    envoy_dynamic_module_type_module_http_header as LentHeader,
    envoy_dynamic_module_type_module_key_value_pair as LentPair,
};
use crate::buffer::EnvoyBuffer;
use crate::http::{EnvoyCounterId, EnvoyGaugeId, EnvoyHistogramId, EnvoyHttpFilter, EnvoyHttpFilterConfig};

/// Up to this many headers are visited without a heap allocation; more of them cost one.
pub const MAX_HEADERS_ON_STACK: usize = 64;

/// Envoy's side of a configuration that is being created.
pub struct EnvoyHttpFilterConfigImpl {
    raw: ConfigPtr,
}

/// Envoy's side of one stream. Lives for one hook.
pub struct EnvoyHttpFilterImpl {
    raw: FilterPtr,
}

/// A route's configuration, as carried by Envoy: boxed once more since a wide pointer does not fit a C pointer.
pub(crate) type RouteConfigBox = Box<dyn Any + Send + Sync>;

impl EnvoyHttpFilterConfigImpl {
    /// # Safety
    /// `raw` is the pointer that Envoy passed to the running hook.
    pub(crate) unsafe fn new(raw: ConfigPtr) -> Self {
        Self { raw }
    }
}

impl EnvoyHttpFilterConfig for EnvoyHttpFilterConfigImpl {
    fn define_counter(&mut self, name: &str) -> Result<EnvoyCounterId, MetricsError> {
        let mut id = 0;
        // SAFETY: `raw` is live in this hook; no labels are passed; `id` is writable.
        let code = unsafe {
            abi::envoy_dynamic_module_callback_http_filter_config_define_counter(
                self.raw,
                Lent::lend(name.as_bytes()),
                std::ptr::null(),
                0,
                &raw mut id,
            )
        };
        MetricsError::check(code).map(|()| EnvoyCounterId(id))
    }

    fn define_gauge(&mut self, name: &str) -> Result<EnvoyGaugeId, MetricsError> {
        let mut id = 0;
        // SAFETY: as `define_counter`.
        let code = unsafe {
            abi::envoy_dynamic_module_callback_http_filter_config_define_gauge(
                self.raw,
                Lent::lend(name.as_bytes()),
                std::ptr::null(),
                0,
                &raw mut id,
            )
        };
        MetricsError::check(code).map(|()| EnvoyGaugeId(id))
    }

    fn define_histogram(&mut self, name: &str) -> Result<EnvoyHistogramId, MetricsError> {
        let mut id = 0;
        // SAFETY: as `define_counter`.
        let code = unsafe {
            abi::envoy_dynamic_module_callback_http_filter_config_define_histogram(
                self.raw,
                Lent::lend(name.as_bytes()),
                std::ptr::null(),
                0,
                &raw mut id,
            )
        };
        MetricsError::check(code).map(|()| EnvoyHistogramId(id))
    }
}

impl EnvoyHttpFilterImpl {
    /// # Safety
    /// `raw` is the pointer that Envoy passed to the running hook, and the value does not outlive that hook.
    pub(crate) unsafe fn new(raw: FilterPtr) -> Self {
        Self { raw }
    }

    /// The value at `index` of a header, and the number of its values.
    fn header(&self, map: HeaderMap, key: &str, index: usize) -> (Option<EnvoyBuffer<'_>>, usize) {
        let mut value = RawBuffer::NONE;
        let mut total = 0;
        // SAFETY: `raw` is live in this hook, both out-parameters are writable, the key outlives the call.
        let found = unsafe {
            abi::envoy_dynamic_module_callback_http_get_header(
                self.raw,
                map,
                Lent::lend(key.as_bytes()),
                &raw mut value,
                index,
                &raw mut total,
            )
        };
        // SAFETY: Envoy lends the value until a setter is called, which needs `&mut self`.
        (if found { unsafe { value.borrowed() } } else { None }, total)
    }

    fn change_header(&mut self, map: HeaderMap, key: &[u8], value: Lent) -> bool {
        // SAFETY: `raw` is live in this hook; Envoy copies key and value.
        unsafe { abi::envoy_dynamic_module_callback_http_set_header(self.raw, map, Lent::lend(key), value) }
    }

    /// Fills `headers` from the map.
    ///
    /// # Safety
    /// `headers` has room for as many as `get_headers_size` has just returned.
    unsafe fn read_headers(&self, map: HeaderMap, headers: *mut RawHeader) -> bool {
        // SAFETY: `raw` is live in this hook; room is promised by the caller.
        unsafe { abi::envoy_dynamic_module_callback_http_get_headers(self.raw, map, headers) }
    }
}

impl EnvoyHttpFilter for EnvoyHttpFilterImpl {
    fn get_request_header_value(&self, key: &str) -> Option<EnvoyBuffer<'_>> {
        self.header(HeaderMap::RequestHeader, key, 0).0
    }

    fn get_request_header_value_and_count(&self, key: &str) -> (Option<EnvoyBuffer<'_>>, usize) {
        self.header(HeaderMap::RequestHeader, key, 0)
    }

    fn get_request_header_values(&self, key: &str) -> Vec<EnvoyBuffer<'_>> {
        let (first, total) = self.header(HeaderMap::RequestHeader, key, 0);
        let rest = (1..total).filter_map(|index| self.header(HeaderMap::RequestHeader, key, index).0);
        first.into_iter().chain(rest).collect()
    }

    fn for_each_header<'a>(
        &'a self,
        map: HeaderMap,
        visit: &mut dyn FnMut(EnvoyBuffer<'a>, EnvoyBuffer<'a>),
    ) {
        // SAFETY: `raw` is live in this hook.
        let size = unsafe { abi::envoy_dynamic_module_callback_http_get_headers_size(self.raw, map) };
        if size == 0 {
            return;
        }
        let mut on_stack = [const { MaybeUninit::<RawHeader>::uninit() }; MAX_HEADERS_ON_STACK];
        let mut on_heap = Vec::new();
        let headers = if size <= MAX_HEADERS_ON_STACK {
            &mut on_stack[..size]
        } else {
            on_heap.resize(size, MaybeUninit::uninit());
            &mut on_heap[..]
        };
        // SAFETY: there is room for `size` of them.
        if !unsafe { self.read_headers(map, headers.as_mut_ptr().cast()) } {
            return;
        }
        for header in headers {
            // SAFETY: Envoy returned true, so it filled `size` entries; it lends them until a setter is called,
            // which needs `&mut self`.
            let (key, value) = unsafe {
                let header = header.assume_init_ref();
                (
                    EnvoyBuffer::new_from_raw(header.key_ptr.cast(), header.key_length),
                    EnvoyBuffer::new_from_raw(header.value_ptr.cast(), header.value_length),
                )
            };
            visit(key, value);
        }
    }

    fn add_request_header(&mut self, key: &str, value: &[u8]) -> bool {
        // SAFETY: `raw` is live in this hook; Envoy copies key and value.
        unsafe {
            abi::envoy_dynamic_module_callback_http_add_header(
                self.raw,
                HeaderMap::RequestHeader,
                Lent::lend(key.as_bytes()),
                Lent::lend(value),
            )
        }
    }

    fn set_request_header(&mut self, key: &str, value: &[u8]) -> bool {
        self.change_header(HeaderMap::RequestHeader, key.as_bytes(), Lent::lend(value))
    }

    fn remove_request_header(&mut self, key: &[u8]) -> bool {
        self.change_header(HeaderMap::RequestHeader, key, Lent::NONE)
    }

    fn remove_request_trailer(&mut self, key: &[u8]) -> bool {
        self.change_header(HeaderMap::RequestTrailer, key, Lent::NONE)
    }

    fn get_response_header_value(&self, key: &str) -> Option<EnvoyBuffer<'_>> {
        self.header(HeaderMap::ResponseHeader, key, 0).0
    }

    fn set_response_header(&mut self, key: &str, value: &[u8]) -> bool {
        self.change_header(HeaderMap::ResponseHeader, key.as_bytes(), Lent::lend(value))
    }

    fn send_response(
        &mut self,
        status_code: u32,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        details: Option<&str>,
    ) {
        let headers: Vec<LentHeader> = headers
            .iter()
            .map(|(key, value)| LentHeader {
                key_ptr: key.as_ptr().cast(),
                key_length: key.len(),
                value_ptr: value.as_ptr().cast(),
                value_length: value.len(),
            })
            .collect();
        // SAFETY: `raw` is live in this hook; everything lent outlives the call, and Envoy copies it.
        unsafe {
            abi::envoy_dynamic_module_callback_http_send_response(
                self.raw,
                status_code,
                headers.as_ptr(),
                headers.len(),
                body.map_or(Lent::NONE, Lent::lend),
                details.map_or(Lent::NONE, |details| Lent::lend(details.as_bytes())),
            );
        }
    }

    fn get_attribute_string(&self, attribute: Attribute) -> Option<EnvoyBuffer<'_>> {
        let mut value = RawBuffer::NONE;
        // SAFETY: `raw` is live in this hook and `value` is writable.
        let found = unsafe {
            abi::envoy_dynamic_module_callback_http_filter_get_attribute_string(
                self.raw,
                attribute,
                &raw mut value,
            )
        };
        // SAFETY: Envoy lends the value until a setter is called, which needs `&mut self`.
        if found { unsafe { value.borrowed() } } else { None }
    }

    fn get_attribute_int(&self, attribute: Attribute) -> Option<u64> {
        let mut value = 0;
        // SAFETY: `raw` is live in this hook and `value` is writable.
        let found = unsafe {
            abi::envoy_dynamic_module_callback_http_filter_get_attribute_int(
                self.raw,
                attribute,
                &raw mut value,
            )
        };
        found.then_some(value)
    }

    fn get_attribute_bool(&self, attribute: Attribute) -> Option<bool> {
        let mut value = false;
        // SAFETY: `raw` is live in this hook and `value` is writable.
        let found = unsafe {
            abi::envoy_dynamic_module_callback_http_filter_get_attribute_bool(
                self.raw,
                attribute,
                &raw mut value,
            )
        };
        found.then_some(value)
    }

    fn get_cluster_name(&self) -> Option<EnvoyBuffer<'_>> {
        let mut value = RawBuffer::NONE;
        // SAFETY: `raw` is live in this hook and `value` is writable.
        let found =
            unsafe { abi::envoy_dynamic_module_callback_http_get_cluster_name(self.raw, &raw mut value) };
        // SAFETY: lent until the route changes, which needs `&mut self`.
        if found { unsafe { value.borrowed() } } else { None }
    }

    fn get_most_specific_route_config(&self) -> Option<&(dyn Any + Send + Sync)> {
        // SAFETY: `raw` is live in this hook. The result is null or what `per_route_config_new` returned, and the
        // stream keeps its route until the route cache is cleared, which needs `&mut self`.
        let config = unsafe {
            let config = abi::envoy_dynamic_module_callback_get_most_specific_route_config(self.raw);
            config.cast::<RouteConfigBox>().as_ref()
        };
        config.map(|config| &**config)
    }

    fn set_dynamic_metadata_strings(&mut self, namespace: &str, entries: &[(&str, &str)]) {
        let entries: Vec<LentPair> = entries
            .iter()
            .map(|(key, value)| LentPair {
                key_ptr: key.as_ptr().cast(),
                key_length: key.len(),
                value_ptr: value.as_ptr().cast(),
                value_length: value.len(),
            })
            .collect();
        // SAFETY: `raw` is live in this hook; everything lent outlives the call, and Envoy copies it.
        unsafe {
            abi::envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(
                self.raw,
                Lent::lend(namespace.as_bytes()),
                entries.as_ptr(),
                entries.len(),
            );
        }
    }

    fn set_filter_state_bytes(&mut self, key: &[u8], value: &[u8]) -> bool {
        // SAFETY: `raw` is live in this hook; Envoy copies key and value.
        unsafe {
            abi::envoy_dynamic_module_callback_http_set_filter_state_bytes(
                self.raw,
                Lent::lend(key),
                Lent::lend(value),
            )
        }
    }

    fn increment_counter(&self, id: EnvoyCounterId, value: u64) -> Result<(), MetricsError> {
        // SAFETY: `raw` is live in this hook; no labels are passed.
        MetricsError::check(unsafe {
            abi::envoy_dynamic_module_callback_http_filter_increment_counter(
                self.raw,
                id.0,
                std::ptr::null(),
                0,
                value,
            )
        })
    }

    fn set_gauge(&self, id: EnvoyGaugeId, value: u64) -> Result<(), MetricsError> {
        // SAFETY: `raw` is live in this hook; no labels are passed.
        MetricsError::check(unsafe {
            abi::envoy_dynamic_module_callback_http_filter_set_gauge(
                self.raw,
                id.0,
                std::ptr::null(),
                0,
                value,
            )
        })
    }

    fn record_histogram_value(&self, id: EnvoyHistogramId, value: u64) -> Result<(), MetricsError> {
        // SAFETY: `raw` is live in this hook; no labels are passed.
        MetricsError::check(unsafe {
            abi::envoy_dynamic_module_callback_http_filter_record_histogram_value(
                self.raw,
                id.0,
                std::ptr::null(),
                0,
                value,
            )
        })
    }
}
