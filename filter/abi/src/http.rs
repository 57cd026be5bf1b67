//! The HTTP filter's traits: what a module implements ([`HttpFilterConfig`], [`HttpFilter`]) and what Envoy offers it
//! ([`EnvoyHttpFilterConfig`], [`EnvoyHttpFilter`]). Names and shapes follow Envoy's official Rust SDK.

use std::any::Any;

use crate::abi;
use crate::buffer::EnvoyBuffer;

/// Makes the configuration from the filter's name and its `filter_config` (the value of a `StringValue` or
/// `BytesValue`, or the JSON of a `Struct`). Runs on the main thread. `None` refuses the configuration; Envoy then
/// keeps the last good one and reports only "failed to initialize", so log the reason.
pub type NewHttpFilterConfigFunction<EC, EHF> =
    fn(envoy_filter_config: &mut EC, name: &str, config: &[u8]) -> Option<Box<dyn HttpFilterConfig<EHF>>>;

/// Makes one route's configuration, as [`NewHttpFilterConfigFunction`] does for the filter.
pub type NewHttpFilterPerRouteConfigFunction =
    fn(name: &str, config: &[u8]) -> Option<Box<dyn Any + Send + Sync>>;

/// Process-wide set-up, before any configuration. `false` refuses the module.
pub type ProgramInitFunction = fn() -> bool;

/// One filter configuration, shared by all workers.
///
/// It is dropped when its last stream has ended, which can be on a worker thread: a `Drop` must neither join a
/// thread nor call Envoy.
pub trait HttpFilterConfig<EHF: EnvoyHttpFilter>: Send + Sync {
    /// Makes the filter of one stream; on that stream's worker.
    fn new_http_filter(&self, envoy: &mut EHF) -> Box<dyn HttpFilter<EHF>>;
}

/// The filter of one stream. Every method has a default that lets the stream pass.
///
/// A panic in any of them is caught: the stream is answered with 500 (or reset, if its response has begun), the
/// filter is dropped and not called again.
pub trait HttpFilter<EHF: EnvoyHttpFilter> {
    /// The request's headers are here.
    fn on_request_headers(
        &mut self,
        _envoy_filter: &mut EHF,
        _end_of_stream: bool,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_request_headers_status {
        abi::envoy_dynamic_module_type_on_http_filter_request_headers_status::Continue
    }

    /// A piece of the request's body is here.
    fn on_request_body(
        &mut self,
        _envoy_filter: &mut EHF,
        _end_of_stream: bool,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_request_body_status {
        abi::envoy_dynamic_module_type_on_http_filter_request_body_status::Continue
    }

    /// The request's trailers are here.
    fn on_request_trailers(
        &mut self,
        _envoy_filter: &mut EHF,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_request_trailers_status {
        abi::envoy_dynamic_module_type_on_http_filter_request_trailers_status::Continue
    }

    /// The response's headers are here.
    fn on_response_headers(
        &mut self,
        _envoy_filter: &mut EHF,
        _end_of_stream: bool,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_response_headers_status {
        abi::envoy_dynamic_module_type_on_http_filter_response_headers_status::Continue
    }

    /// A piece of the response's body is here.
    fn on_response_body(
        &mut self,
        _envoy_filter: &mut EHF,
        _end_of_stream: bool,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_response_body_status {
        abi::envoy_dynamic_module_type_on_http_filter_response_body_status::Continue
    }

    /// The response's trailers are here.
    fn on_response_trailers(
        &mut self,
        _envoy_filter: &mut EHF,
    ) -> abi::envoy_dynamic_module_type_on_http_filter_response_trailers_status {
        abi::envoy_dynamic_module_type_on_http_filter_response_trailers_status::Continue
    }

    /// The stream has ended; its access log is written after this.
    fn on_stream_complete(&mut self, _envoy_filter: &mut EHF) {}
}

/// A counter defined on a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvoyCounterId(pub(crate) usize);

/// A gauge defined on a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvoyGaugeId(pub(crate) usize);

/// A histogram defined on a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvoyHistogramId(pub(crate) usize);

/// What Envoy offers while a configuration is being created. Metrics appear as `<metrics_namespace>.<name>`, and
/// configurations that define the same name share the metric.
pub trait EnvoyHttpFilterConfig {
    /// Defines a counter without labels.
    fn define_counter(
        &mut self,
        name: &str,
    ) -> Result<EnvoyCounterId, abi::envoy_dynamic_module_type_metrics_result>;

    /// Defines a gauge without labels.
    fn define_gauge(
        &mut self,
        name: &str,
    ) -> Result<EnvoyGaugeId, abi::envoy_dynamic_module_type_metrics_result>;

    /// Defines a histogram without labels; its values have no unit of their own, so name the unit.
    fn define_histogram(
        &mut self,
        name: &str,
    ) -> Result<EnvoyHistogramId, abi::envoy_dynamic_module_type_metrics_result>;
}

/// One stream, as Envoy lets a filter see and change it. What a getter lends stays valid until the next `&mut` call.
pub trait EnvoyHttpFilter {
    /// The first value of a request header; names are lower case, pseudo-headers begin with `:`.
    fn get_request_header_value(&self, key: &str) -> Option<EnvoyBuffer<'_>>;

    /// The first value of a request header, and how many values there are.
    fn get_request_header_value_and_count(&self, key: &str) -> (Option<EnvoyBuffer<'_>>, usize);

    /// All values of a request header, in order.
    fn get_request_header_values(&self, key: &str) -> Vec<EnvoyBuffer<'_>>;

    /// Calls `visit` with name and value of every header of one map, in order, without allocating for up to
    /// [`MAX_HEADERS_ON_STACK`](crate::MAX_HEADERS_ON_STACK) of them.
    fn for_each_header<'a>(
        &'a self,
        map: abi::envoy_dynamic_module_type_http_header_type,
        visit: &mut dyn FnMut(EnvoyBuffer<'a>, EnvoyBuffer<'a>),
    );

    /// Adds a value to a request header. `false`: the headers are gone.
    fn add_request_header(&mut self, key: &str, value: &[u8]) -> bool;

    /// Replaces all values of a request header. `false`: the headers are gone.
    fn set_request_header(&mut self, key: &str, value: &[u8]) -> bool;

    /// Removes all values of a request header. `false`: the headers are gone.
    fn remove_request_header(&mut self, key: &[u8]) -> bool;

    /// Removes all values of a request trailer. `false`: there are no trailers.
    fn remove_request_trailer(&mut self, key: &[u8]) -> bool;

    /// The first value of a response header.
    fn get_response_header_value(&self, key: &str) -> Option<EnvoyBuffer<'_>>;

    /// Replaces all values of a response header. `false`: the headers are gone.
    fn set_response_header(&mut self, key: &str, value: &[u8]) -> bool;

    /// Answers the request here. `details` is what the access log shows as `%RESPONSE_CODE_DETAILS%` (no spaces).
    /// The hook must then return a status that stops the iteration.
    fn send_response(
        &mut self,
        status_code: u32,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        details: Option<&str>,
    );

    /// An attribute whose value is a string; several times cheaper than the header of the same value.
    fn get_attribute_string(
        &self,
        attribute: abi::envoy_dynamic_module_type_attribute_id,
    ) -> Option<EnvoyBuffer<'_>>;

    /// An attribute whose value is an integer.
    fn get_attribute_int(&self, attribute: abi::envoy_dynamic_module_type_attribute_id) -> Option<u64>;

    /// An attribute whose value is a boolean.
    fn get_attribute_bool(&self, attribute: abi::envoy_dynamic_module_type_attribute_id) -> Option<bool>;

    /// The name of the cluster that the route selected.
    fn get_cluster_name(&self) -> Option<EnvoyBuffer<'_>>;

    /// The most specific route's configuration, as its constructor made it. (The SDK clones an `Arc` here, which all
    /// workers would contend for; the route outlives the borrow.)
    fn get_most_specific_route_config(&self) -> Option<&(dyn Any + Send + Sync)>;

    /// Sets string entries of the stream's dynamic metadata, readable in access logs as
    /// `%DYNAMIC_METADATA(namespace:key)%` and by later filters.
    fn set_dynamic_metadata_strings(&mut self, namespace: &str, entries: &[(&str, &str)]);

    /// Sets an entry of the stream's filter state, readable in access logs as `%FILTER_STATE(key:PLAIN)%`; cheaper
    /// than dynamic metadata. `false`: the key exists and is read-only.
    fn set_filter_state_bytes(&mut self, key: &[u8], value: &[u8]) -> bool;

    /// Adds to a counter.
    fn increment_counter(
        &self,
        id: EnvoyCounterId,
        value: u64,
    ) -> Result<(), abi::envoy_dynamic_module_type_metrics_result>;

    /// Sets a gauge.
    fn set_gauge(
        &self,
        id: EnvoyGaugeId,
        value: u64,
    ) -> Result<(), abi::envoy_dynamic_module_type_metrics_result>;

    /// Records a value in a histogram.
    fn record_histogram_value(
        &self,
        id: EnvoyHistogramId,
        value: u64,
    ) -> Result<(), abi::envoy_dynamic_module_type_metrics_result>;
}
