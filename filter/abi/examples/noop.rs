//! A module whose filter does nothing: the floor that the benchmarks measure other filters against.

use std::any::Any;

use envoy_dynamic_module::{
    EnvoyHttpFilter, EnvoyHttpFilterConfig, HttpFilter, HttpFilterConfig, declare_init_functions,
};

declare_init_functions!(|| true, new_config, new_route_config);

struct Noop;

fn new_config<EC: EnvoyHttpFilterConfig, EHF: EnvoyHttpFilter>(
    _envoy: &mut EC,
    _name: &str,
    _config: &[u8],
) -> Option<Box<dyn HttpFilterConfig<EHF>>> {
    Some(Box::new(Noop))
}

fn new_route_config(_name: &str, _config: &[u8]) -> Option<Box<dyn Any + Send + Sync>> {
    Some(Box::new(()))
}

impl<EHF: EnvoyHttpFilter> HttpFilterConfig<EHF> for Noop {
    fn new_http_filter(&self, _envoy: &mut EHF) -> Box<dyn HttpFilter<EHF>> {
        Box::new(Noop)
    }
}

impl<EHF: EnvoyHttpFilter> HttpFilter<EHF> for Noop {}
