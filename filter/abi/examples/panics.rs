//! A module whose filter panics where its configuration says, for the tests that show that Envoy outlives it.
//! `filter_config` is a `StringValue` with the name of a hook; an unknown name never panics.

use std::any::Any;

use envoy_dynamic_module::abi::{
    envoy_dynamic_module_type_on_http_filter_request_body_status as RequestBodyStatus,
    envoy_dynamic_module_type_on_http_filter_request_headers_status as RequestHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_request_trailers_status as RequestTrailersStatus,
    envoy_dynamic_module_type_on_http_filter_response_body_status as ResponseBodyStatus,
    envoy_dynamic_module_type_on_http_filter_response_headers_status as ResponseHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_response_trailers_status as ResponseTrailersStatus,
};
use envoy_dynamic_module::{
    EnvoyHttpFilter, EnvoyHttpFilterConfig, HttpFilter, HttpFilterConfig, declare_init_functions,
};

declare_init_functions!(|| true, new_config, new_route_config);

/// The hook to panic in.
#[derive(Clone)]
struct Panics(String);

impl Panics {
    fn in_hook(&self, hook: &str) {
        assert!(self.0 != hook, "asked to panic in {hook}");
    }
}

fn new_config<EC: EnvoyHttpFilterConfig, EHF: EnvoyHttpFilter>(
    _envoy: &mut EC,
    _name: &str,
    config: &[u8],
) -> Option<Box<dyn HttpFilterConfig<EHF>>> {
    let panics = Panics(String::from_utf8(config.to_vec()).ok()?);
    panics.in_hook("config_new");
    Some(Box::new(panics))
}

fn new_route_config(_name: &str, config: &[u8]) -> Option<Box<dyn Any + Send + Sync>> {
    let panics = Panics(String::from_utf8(config.to_vec()).ok()?);
    panics.in_hook("per_route_config_new");
    Some(Box::new(panics))
}

impl<EHF: EnvoyHttpFilter> HttpFilterConfig<EHF> for Panics {
    fn new_http_filter(&self, _envoy: &mut EHF) -> Box<dyn HttpFilter<EHF>> {
        self.in_hook("new");
        Box::new(Filter(self.clone()))
    }
}

struct Filter(Panics);

impl<EHF: EnvoyHttpFilter> HttpFilter<EHF> for Filter {
    fn on_request_headers(&mut self, _envoy: &mut EHF, _end_of_stream: bool) -> RequestHeadersStatus {
        self.0.in_hook("request_headers");
        RequestHeadersStatus::Continue
    }

    fn on_request_body(&mut self, _envoy: &mut EHF, _end_of_stream: bool) -> RequestBodyStatus {
        self.0.in_hook("request_body");
        RequestBodyStatus::Continue
    }

    fn on_request_trailers(&mut self, _envoy: &mut EHF) -> RequestTrailersStatus {
        self.0.in_hook("request_trailers");
        RequestTrailersStatus::Continue
    }

    fn on_response_headers(&mut self, _envoy: &mut EHF, _end_of_stream: bool) -> ResponseHeadersStatus {
        self.0.in_hook("response_headers");
        ResponseHeadersStatus::Continue
    }

    fn on_response_body(&mut self, _envoy: &mut EHF, _end_of_stream: bool) -> ResponseBodyStatus {
        self.0.in_hook("response_body");
        ResponseBodyStatus::Continue
    }

    fn on_response_trailers(&mut self, _envoy: &mut EHF) -> ResponseTrailersStatus {
        self.0.in_hook("response_trailers");
        ResponseTrailersStatus::Continue
    }

    fn on_stream_complete(&mut self, _envoy: &mut EHF) {
        self.0.in_hook("stream_complete");
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        self.0.in_hook("drop");
    }
}
