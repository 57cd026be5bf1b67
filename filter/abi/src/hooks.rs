//! The functions that Envoy looks up in the module and calls. Each catches panics: none may unwind into Envoy.
//!
//! What a module must export was found by trying: without any one of these Envoy 1.40 refuses an HTTP filter module.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use crate::abi::{
    self, envoy_dynamic_module_type_abi_version_module_ptr as AbiVersionPtr,
    envoy_dynamic_module_type_envoy_buffer as RawBuffer,
    envoy_dynamic_module_type_envoy_http_header as RawHeader,
    envoy_dynamic_module_type_http_filter_config_envoy_ptr as ConfigEnvoyPtr,
    envoy_dynamic_module_type_http_filter_config_module_ptr as ConfigModulePtr,
    envoy_dynamic_module_type_http_filter_envoy_ptr as FilterEnvoyPtr,
    envoy_dynamic_module_type_http_filter_module_ptr as FilterModulePtr,
    envoy_dynamic_module_type_http_filter_per_route_config_module_ptr as RouteConfigModulePtr,
    envoy_dynamic_module_type_on_http_filter_local_reply_status as LocalReplyStatus,
    envoy_dynamic_module_type_on_http_filter_request_body_status as RequestBodyStatus,
    envoy_dynamic_module_type_on_http_filter_request_headers_status as RequestHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_request_trailers_status as RequestTrailersStatus,
    envoy_dynamic_module_type_on_http_filter_response_body_status as ResponseBodyStatus,
    envoy_dynamic_module_type_on_http_filter_response_headers_status as ResponseHeadersStatus,
    envoy_dynamic_module_type_on_http_filter_response_trailers_status as ResponseTrailersStatus,
};
use crate::compat::{self, AttributeCheck};
use crate::host::{EnvoyHttpFilterConfigImpl, EnvoyHttpFilterImpl, RouteConfigBox};
use crate::http::{
    EnvoyHttpFilter, HttpFilter, HttpFilterConfig, NewHttpFilterConfigFunction,
    NewHttpFilterPerRouteConfigFunction, ProgramInitFunction,
};
use crate::{envoy_log_critical, log};

/// What the access log shows as `%RESPONSE_CODE_DETAILS%` of a stream whose filter panicked.
pub const PANIC_DETAILS: &str = "dynamic_module_panic";
/// What it shows when Envoy's attributes are not the ones this ABI version defines.
pub const ABI_MISMATCH_DETAILS: &str = "dynamic_module_abi_mismatch";

type NewConfig = NewHttpFilterConfigFunction<EnvoyHttpFilterConfigImpl, EnvoyHttpFilterImpl>;

static NEW_HTTP_FILTER_CONFIG: OnceLock<NewConfig> = OnceLock::new();
static NEW_HTTP_FILTER_PER_ROUTE_CONFIG: OnceLock<NewHttpFilterPerRouteConfigFunction> = OnceLock::new();

/// What Envoy carries for us per configuration.
struct Config {
    config: Box<dyn HttpFilterConfig<EnvoyHttpFilterImpl>>,
    attributes: AttributeCheck,
}

/// What Envoy carries for us per stream. The configuration outlives its streams.
struct Stream<'a> {
    /// `None` once the filter has panicked.
    filter: Option<Box<dyn HttpFilter<EnvoyHttpFilterImpl>>>,
    attributes: &'a AttributeCheck,
}

/// The body of `envoy_dynamic_module_on_program_init`, which [`declare_init_functions!`](crate::declare_init_functions)
/// exports. Returns null, so that Envoy refuses the module, if the running Envoy is too old, if `init` says no or if
/// anything panics.
pub fn program_init(
    init: ProgramInitFunction,
    new_config: NewConfig,
    new_per_route_config: NewHttpFilterPerRouteConfigFunction,
) -> AbiVersionPtr {
    let started = catch_unwind(|| {
        let missing = compat::missing_host_functions();
        if !missing.is_empty() {
            envoy_log_critical!(
                "this module needs Envoy 1.40 (dynamic-module ABI {:?}) or later; this Envoy lacks {missing:?}",
                abi::ABI_VERSION
            );
            return false;
        }
        std::panic::set_hook(Box::new(|panic| {
            log::write(
                abi::envoy_dynamic_module_type_log_level::Critical,
                &format!("module panicked: {panic}"),
            );
        }));
        // A second load of the same file calls this again with the same functions; the first ones stay.
        NEW_HTTP_FILTER_CONFIG.get_or_init(|| new_config);
        NEW_HTTP_FILTER_PER_ROUTE_CONFIG.get_or_init(|| new_per_route_config);
        init()
    });
    match started {
        Ok(true) => abi::ABI_VERSION.as_ptr(),
        Ok(false) => std::ptr::null(),
        Err(payload) => {
            discard(payload);
            std::ptr::null()
        }
    }
}

/// Drops what a panic carried; a second panic in that drop must not escape either.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
}

/// Drops a value of the module's; a panic in its `Drop` ends there.
fn drop_caught<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        discard(payload);
    }
}

/// Makes a configuration of either kind, or `None` if the constructor refuses or panics.
fn construct<T>(kind: &str, name: &[u8], make: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let made = catch_unwind(AssertUnwindSafe(|| match std::str::from_utf8(name) {
        Ok(name) => make(name),
        Err(error) => {
            log::write(
                abi::envoy_dynamic_module_type_log_level::Error,
                &format!("{kind} refused: its filter_name is not UTF-8: {error}"),
            );
            None
        }
    }));
    made.unwrap_or_else(|payload| {
        discard(payload);
        None
    })
}

/// Runs one hook of a stream's filter. When the filter panics it is dropped, the stream is answered with 500 (Envoy
/// resets it if the response has begun) and `stop` is returned; of a filter that has panicked before, `gone`.
///
/// # Safety
/// Both pointers are those of the running hook, and no other reference to the stream exists.
unsafe fn with_filter<R>(
    envoy: FilterEnvoyPtr,
    stream: FilterModulePtr,
    gone: R,
    stop: R,
    hook: impl FnOnce(&mut dyn HttpFilter<EnvoyHttpFilterImpl>, &mut EnvoyHttpFilterImpl) -> R,
) -> R {
    // SAFETY: `stream` came from `new` below, Envoy runs one hook of a stream at a time and destroys it last.
    let stream = unsafe { &mut *stream.cast_mut().cast::<Stream<'_>>() };
    // SAFETY: the pointer is the running hook's, and the value ends with this function.
    let mut envoy = unsafe { EnvoyHttpFilterImpl::new(envoy) };
    let Some(filter) = stream.filter.as_mut() else {
        return gone;
    };
    match catch_unwind(AssertUnwindSafe(|| hook(filter.as_mut(), &mut envoy))) {
        Ok(status) => status,
        Err(payload) => {
            discard(payload);
            drop_caught(stream.filter.take());
            envoy.send_response(500, &[], None, Some(PANIC_DETAILS));
            stop
        }
    }
}

/// # Safety
/// `buffer` is one that Envoy passed to the running hook.
unsafe fn bytes<'a>(buffer: RawBuffer) -> &'a [u8] {
    // SAFETY: passed on to the caller; Envoy lends it for the length of the hook.
    unsafe { buffer.borrowed() }.map_or(&[], |buffer| buffer.as_slice())
}

// SAFETY (all exports below): names and signatures are the ABI's, so no other symbol of the program has the name for
// another purpose; Envoy passes pointers that it got from `*_new` and does not use them after `*_destroy`.

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    envoy: ConfigEnvoyPtr,
    name: RawBuffer,
    config: RawBuffer,
) -> ConfigModulePtr {
    // SAFETY: as above.
    let (mut envoy, name, config) =
        unsafe { (EnvoyHttpFilterConfigImpl::new(envoy), bytes(name), bytes(config)) };
    let made = construct("filter configuration", name, |name| {
        let new_config = NEW_HTTP_FILTER_CONFIG.get()?;
        new_config(&mut envoy, name, config)
    });
    match made {
        Some(config) => {
            Box::into_raw(Box::new(Config { config, attributes: AttributeCheck::default() })).cast()
        }
        None => std::ptr::null(),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(config: ConfigModulePtr) {
    // SAFETY: made by `config_new`, and Envoy gives it back.
    drop_caught(unsafe { Box::from_raw(config.cast_mut().cast::<Config>()) });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_new(
    name: RawBuffer,
    config: RawBuffer,
) -> RouteConfigModulePtr {
    // SAFETY: as above.
    let (name, config) = unsafe { (bytes(name), bytes(config)) };
    let made: Option<RouteConfigBox> = construct("route configuration", name, |name| {
        let new_config = NEW_HTTP_FILTER_PER_ROUTE_CONFIG.get()?;
        new_config(name, config)
    });
    made.map_or(std::ptr::null(), |config| Box::into_raw(Box::new(config)).cast())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_destroy(
    config: RouteConfigModulePtr,
) {
    // SAFETY: made by `per_route_config_new`, and Envoy gives it back.
    drop_caught(unsafe { Box::from_raw(config.cast_mut().cast::<RouteConfigBox>()) });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_new(
    config: ConfigModulePtr,
    envoy: FilterEnvoyPtr,
) -> FilterModulePtr {
    // SAFETY: made by `config_new`; Envoy keeps it until its last stream is destroyed.
    let config = unsafe { &*config.cast::<Config>() };
    // SAFETY: the pointer is the running hook's, and the value ends with this function.
    let mut envoy = unsafe { EnvoyHttpFilterImpl::new(envoy) };
    let filter = match catch_unwind(AssertUnwindSafe(|| config.config.new_http_filter(&mut envoy))) {
        Ok(filter) => Some(filter),
        // The stream is kept and answered with 500 on its headers: a definite denial, not left to Envoy's defaults.
        Err(payload) => {
            discard(payload);
            None
        }
    };
    Box::into_raw(Box::new(Stream { filter, attributes: &config.attributes })).cast_const().cast()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_destroy(stream: FilterModulePtr) {
    // SAFETY: made by `new`, and Envoy gives it back.
    drop_caught(unsafe { Box::from_raw(stream.cast_mut().cast::<Stream<'_>>()) });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_request_headers(
    envoy: FilterEnvoyPtr,
    stream: FilterModulePtr,
    end_of_stream: bool,
) -> RequestHeadersStatus {
    let refuse = |details| {
        // SAFETY: the pointer is the running hook's, and the value ends with this statement.
        unsafe { EnvoyHttpFilterImpl::new(envoy) }.send_response(500, &[], None, Some(details));
        RequestHeadersStatus::StopIteration
    };
    {
        // SAFETY: as in `with_filter`; the reference ends with this block.
        let (stream, host) = unsafe { (&*stream.cast::<Stream<'_>>(), EnvoyHttpFilterImpl::new(envoy)) };
        if stream.filter.is_none() {
            return refuse(PANIC_DETAILS);
        }
        if !stream.attributes.holds(&host) {
            envoy_log_critical!(
                "request refused: this Envoy's attributes are not those of dynamic-module ABI {:?}; use a module \
                 built for it",
                abi::ABI_VERSION
            );
            return refuse(ABI_MISMATCH_DETAILS);
        }
    }
    let stop = RequestHeadersStatus::StopIteration;
    // SAFETY: the running hook's pointers.
    unsafe {
        with_filter(envoy, stream, stop, stop, |filter, envoy| {
            filter.on_request_headers(envoy, end_of_stream)
        })
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_request_body(
    envoy: FilterEnvoyPtr,
    stream: FilterModulePtr,
    end_of_stream: bool,
) -> RequestBodyStatus {
    let stop = RequestBodyStatus::StopIterationNoBuffer;
    // SAFETY: the running hook's pointers.
    unsafe {
        with_filter(envoy, stream, stop, stop, |filter, envoy| filter.on_request_body(envoy, end_of_stream))
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_request_trailers(
    envoy: FilterEnvoyPtr,
    stream: FilterModulePtr,
) -> RequestTrailersStatus {
    let stop = RequestTrailersStatus::StopIteration;
    // SAFETY: the running hook's pointers.
    unsafe { with_filter(envoy, stream, stop, stop, |filter, envoy| filter.on_request_trailers(envoy)) }
}

// The response hooks of a filter that is gone let the response pass: it is the 500 that was sent in its place.

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_response_headers(
    envoy: FilterEnvoyPtr,
    stream: FilterModulePtr,
    end_of_stream: bool,
) -> ResponseHeadersStatus {
    let (gone, stop) = (ResponseHeadersStatus::Continue, ResponseHeadersStatus::StopIteration);
    // SAFETY: the running hook's pointers.
    unsafe {
        with_filter(envoy, stream, gone, stop, |filter, envoy| {
            filter.on_response_headers(envoy, end_of_stream)
        })
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_response_body(
    envoy: FilterEnvoyPtr,
    stream: FilterModulePtr,
    end_of_stream: bool,
) -> ResponseBodyStatus {
    let (gone, stop) = (ResponseBodyStatus::Continue, ResponseBodyStatus::StopIterationNoBuffer);
    // SAFETY: the running hook's pointers.
    unsafe {
        with_filter(envoy, stream, gone, stop, |filter, envoy| filter.on_response_body(envoy, end_of_stream))
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_response_trailers(
    envoy: FilterEnvoyPtr,
    stream: FilterModulePtr,
) -> ResponseTrailersStatus {
    let (gone, stop) = (ResponseTrailersStatus::Continue, ResponseTrailersStatus::StopIteration);
    // SAFETY: the running hook's pointers.
    unsafe { with_filter(envoy, stream, gone, stop, |filter, envoy| filter.on_response_trailers(envoy)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_stream_complete(
    envoy: FilterEnvoyPtr,
    stream: FilterModulePtr,
) {
    // The response is over, so there is nothing to answer: only drop the filter.
    // SAFETY: as in `with_filter`.
    let (stream, mut envoy) =
        unsafe { (&mut *stream.cast_mut().cast::<Stream<'_>>(), EnvoyHttpFilterImpl::new(envoy)) };
    let Some(mut filter) = stream.filter.take() else {
        return;
    };
    match catch_unwind(AssertUnwindSafe(|| filter.on_stream_complete(&mut envoy))) {
        Ok(()) => stream.filter = Some(filter),
        Err(payload) => {
            discard(payload);
            drop_caught(filter);
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_local_reply(
    _envoy: FilterEnvoyPtr,
    _stream: FilterModulePtr,
    _response_code: u32,
    _details: RawBuffer,
    _reset_imminent: bool,
) -> LocalReplyStatus {
    LocalReplyStatus::Continue
}

// Hooks of features that no filter here uses. Envoy demands them; it calls them only after a call of ours that this
// binding does not offer (callouts, schedulers) or for terminal filters (watermarks).

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_scheduled(
    _: FilterEnvoyPtr,
    _: FilterModulePtr,
    _event: u64,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_callout_done(
    _: FilterEnvoyPtr,
    _: FilterModulePtr,
    _callout: u64,
    _result: u32,
    _headers: *const RawHeader,
    _headers_size: usize,
    _body: *const RawBuffer,
    _body_size: usize,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_headers(
    _: FilterEnvoyPtr,
    _: FilterModulePtr,
    _stream: u64,
    _headers: *const RawHeader,
    _headers_size: usize,
    _end_of_stream: bool,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_data(
    _: FilterEnvoyPtr,
    _: FilterModulePtr,
    _stream: u64,
    _data: *const RawBuffer,
    _data_size: usize,
    _end_of_stream: bool,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_trailers(
    _: FilterEnvoyPtr,
    _: FilterModulePtr,
    _stream: u64,
    _trailers: *const RawHeader,
    _trailers_size: usize,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_complete(
    _: FilterEnvoyPtr,
    _: FilterModulePtr,
    _stream: u64,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_reset(
    _: FilterEnvoyPtr,
    _: FilterModulePtr,
    _stream: u64,
    _reason: u32,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(
    _: FilterEnvoyPtr,
    _: FilterModulePtr,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(
    _: FilterEnvoyPtr,
    _: FilterModulePtr,
) {
}
