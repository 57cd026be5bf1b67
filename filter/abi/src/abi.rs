//! The part of Envoy's dynamic-module ABI (`v0.2.0`, Envoy 1.40) that an HTTP filter uses: the C types as they cross
//! the boundary and the host functions that Envoy exports.
//!
//! Names are those of the ABI, so that a reader can hold them against Envoy's own header and so that code using them
//! keeps compiling on the official SDK. A shared library resolves every imported symbol when it is loaded: a name
//! that Envoy 1.40 lacks would make the whole module unloadable, so nothing is declared here that is not used.
#![expect(non_camel_case_types, reason = "the names of Envoy's ABI")]

use std::ffi::{c_char, c_void};

/// The ABI version this binding speaks, as `envoy_dynamic_module_on_program_init` returns it.
pub const ABI_VERSION: &std::ffi::CStr = c"v0.2.0";

/// Envoy's per-stream object.
pub type envoy_dynamic_module_type_http_filter_envoy_ptr = *mut c_void;
/// Envoy's object of one filter configuration.
pub type envoy_dynamic_module_type_http_filter_config_envoy_ptr = *mut c_void;
/// Our per-stream object, as Envoy carries it.
pub type envoy_dynamic_module_type_http_filter_module_ptr = *const c_void;
/// Our object of one filter configuration, as Envoy carries it.
pub type envoy_dynamic_module_type_http_filter_config_module_ptr = *const c_void;
/// Our object of one route's configuration, as Envoy carries it.
pub type envoy_dynamic_module_type_http_filter_per_route_config_module_ptr = *const c_void;
/// A NUL-terminated version string, or null to refuse being loaded.
pub type envoy_dynamic_module_type_abi_version_module_ptr = *const c_char;

/// Bytes that Envoy owns. Null when absent.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct envoy_dynamic_module_type_envoy_buffer {
    /// First byte; null when absent.
    pub ptr: *const c_char,
    /// Number of bytes.
    pub length: usize,
}

/// Bytes that this module owns, valid for the length of the call they are passed to.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct envoy_dynamic_module_type_module_buffer {
    /// First byte; null for "none".
    pub ptr: *const c_char,
    /// Number of bytes.
    pub length: usize,
}

/// A header that Envoy owns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct envoy_dynamic_module_type_envoy_http_header {
    /// First byte of the name.
    pub key_ptr: *const c_char,
    /// Length of the name.
    pub key_length: usize,
    /// First byte of the value.
    pub value_ptr: *const c_char,
    /// Length of the value.
    pub value_length: usize,
}

/// A header that this module owns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct envoy_dynamic_module_type_module_http_header {
    /// First byte of the name.
    pub key_ptr: *const c_char,
    /// Length of the name.
    pub key_length: usize,
    /// First byte of the value.
    pub value_ptr: *const c_char,
    /// Length of the value.
    pub value_length: usize,
}

/// A string pair that this module owns (dynamic metadata in one call).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct envoy_dynamic_module_type_module_key_value_pair {
    /// First byte of the key.
    pub key_ptr: *const c_char,
    /// Length of the key.
    pub key_length: usize,
    /// First byte of the value.
    pub value_ptr: *const c_char,
    /// Length of the value.
    pub value_length: usize,
}

/// Which of a stream's four header maps.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum envoy_dynamic_module_type_http_header_type {
    /// Request headers.
    RequestHeader = 0,
    /// Request trailers.
    RequestTrailer = 1,
    /// Response headers.
    ResponseHeader = 2,
    /// Response trailers.
    ResponseTrailer = 3,
}

/// Severity of a line in Envoy's log.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum envoy_dynamic_module_type_log_level {
    /// `trace`
    Trace = 0,
    /// `debug`
    Debug = 1,
    /// `info`
    Info = 2,
    /// `warning`
    Warn = 3,
    /// `error`
    Error = 4,
    /// `critical`
    Critical = 5,
}

/// Why a metric could not be defined or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum envoy_dynamic_module_type_metrics_result {
    /// No metric has this id.
    MetricNotFound,
    /// The labels do not match the definition.
    InvalidLabels,
    /// Metrics can be defined only while the configuration is being created.
    Frozen,
    /// A code that this ABI version does not define.
    Unknown(u32),
}

/// What Envoy does with the request after its headers.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum envoy_dynamic_module_type_on_http_filter_request_headers_status {
    /// On to the next filter.
    Continue = 0,
    /// Stop here; also after a local reply.
    StopIteration = 1,
    /// On, but hold the end of stream back.
    ContinueAndDontEndStream = 2,
    /// Stop and buffer the body up to the limit.
    StopAllIterationAndBuffer = 3,
    /// Stop and apply back-pressure.
    StopAllIterationAndWatermark = 4,
}

/// What Envoy does with a piece of the request body.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum envoy_dynamic_module_type_on_http_filter_request_body_status {
    /// On to the next filter.
    Continue = 0,
    /// Stop and buffer up to the limit.
    StopIterationAndBuffer = 1,
    /// Stop and apply back-pressure.
    StopIterationAndWatermark = 2,
    /// Stop and drop; also after a local reply.
    StopIterationNoBuffer = 3,
}

/// What Envoy does with the request's trailers.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum envoy_dynamic_module_type_on_http_filter_request_trailers_status {
    /// On to the next filter.
    Continue = 0,
    /// Stop here.
    StopIteration = 1,
}

/// What Envoy does with the response after its headers.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum envoy_dynamic_module_type_on_http_filter_response_headers_status {
    /// On to the next filter.
    Continue = 0,
    /// Stop here.
    StopIteration = 1,
    /// On, but hold the end of stream back.
    ContinueAndDontEndStream = 2,
    /// Stop and buffer the body up to the limit.
    StopAllIterationAndBuffer = 3,
    /// Stop and apply back-pressure.
    StopAllIterationAndWatermark = 4,
}

/// What Envoy does with a piece of the response body.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum envoy_dynamic_module_type_on_http_filter_response_body_status {
    /// On to the next filter.
    Continue = 0,
    /// Stop and buffer up to the limit.
    StopIterationAndBuffer = 1,
    /// Stop and apply back-pressure.
    StopIterationAndWatermark = 2,
    /// Stop and drop.
    StopIterationNoBuffer = 3,
}

/// What Envoy does with the response's trailers.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum envoy_dynamic_module_type_on_http_filter_response_trailers_status {
    /// On to the next filter.
    Continue = 0,
    /// Stop here.
    StopIteration = 1,
}

/// What Envoy does after the filters have been told of a local reply.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum envoy_dynamic_module_type_on_http_filter_local_reply_status {
    /// Send it.
    Continue = 0,
    /// Reset the stream instead.
    ContinueAndResetStream = 1,
}

/// Attributes of a request and its connection that are readable without copying headers. The numbers are positions
/// in the ABI's enumeration; those not used here are left out.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum envoy_dynamic_module_type_attribute_id {
    /// `request.path`: path with query.
    RequestPath = 0,
    /// `request.url_path`: path without query.
    RequestUrlPath = 1,
    /// `request.host`
    RequestHost = 2,
    /// `request.scheme`
    RequestScheme = 3,
    /// `request.method`
    RequestMethod = 4,
    /// `source.address`: `ip:port` of the client.
    SourceAddress = 24,
    /// `source.port` (integer)
    SourcePort = 25,
    /// `connection.mtls` (bool): a client certificate was presented and verified.
    ConnectionMtls = 29,
    /// `connection.requested_server_name`: SNI.
    ConnectionRequestedServerName = 30,
    /// `connection.subject_peer_certificate`
    ConnectionSubjectPeerCertificate = 33,
    /// `connection.dns_san_peer_certificate`: the first one.
    ConnectionDnsSanPeerCertificate = 35,
    /// `connection.uri_san_peer_certificate`: the first one.
    ConnectionUriSanPeerCertificate = 37,
    /// `connection.sha256_peer_certificate_digest`: lower-case hexadecimal.
    ConnectionSha256PeerCertificateDigest = 38,
    /// `xds.cluster_name`
    XdsClusterName = 57,
    /// `xds.listener_direction` (integer)
    XdsListenerDirection = 59,
}

/// Result code of a metrics call; 0 is success.
pub(crate) type RawMetricsResult = u32;

// SAFETY: signatures as in the ABI's header, names present in Envoy 1.40.0's dynamic symbol table.
unsafe extern "C" {
    pub(crate) fn envoy_dynamic_module_callback_log(
        level: envoy_dynamic_module_type_log_level,
        message: envoy_dynamic_module_type_module_buffer,
    );
    pub(crate) fn envoy_dynamic_module_callback_log_enabled(
        level: envoy_dynamic_module_type_log_level,
    ) -> bool;

    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_define_counter(
        config: envoy_dynamic_module_type_http_filter_config_envoy_ptr,
        name: envoy_dynamic_module_type_module_buffer,
        label_names: *const envoy_dynamic_module_type_module_buffer,
        label_names_length: usize,
        id: *mut usize,
    ) -> RawMetricsResult;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_define_gauge(
        config: envoy_dynamic_module_type_http_filter_config_envoy_ptr,
        name: envoy_dynamic_module_type_module_buffer,
        label_names: *const envoy_dynamic_module_type_module_buffer,
        label_names_length: usize,
        id: *mut usize,
    ) -> RawMetricsResult;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_config_define_histogram(
        config: envoy_dynamic_module_type_http_filter_config_envoy_ptr,
        name: envoy_dynamic_module_type_module_buffer,
        label_names: *const envoy_dynamic_module_type_module_buffer,
        label_names_length: usize,
        id: *mut usize,
    ) -> RawMetricsResult;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_increment_counter(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        id: usize,
        label_values: *const envoy_dynamic_module_type_module_buffer,
        label_values_length: usize,
        value: u64,
    ) -> RawMetricsResult;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_set_gauge(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        id: usize,
        label_values: *const envoy_dynamic_module_type_module_buffer,
        label_values_length: usize,
        value: u64,
    ) -> RawMetricsResult;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_record_histogram_value(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        id: usize,
        label_values: *const envoy_dynamic_module_type_module_buffer,
        label_values_length: usize,
        value: u64,
    ) -> RawMetricsResult;

    pub(crate) fn envoy_dynamic_module_callback_http_get_header(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        map: envoy_dynamic_module_type_http_header_type,
        key: envoy_dynamic_module_type_module_buffer,
        result: *mut envoy_dynamic_module_type_envoy_buffer,
        index: usize,
        total: *mut usize,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_get_headers_size(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        map: envoy_dynamic_module_type_http_header_type,
    ) -> usize;
    pub(crate) fn envoy_dynamic_module_callback_http_get_headers(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        map: envoy_dynamic_module_type_http_header_type,
        result: *mut envoy_dynamic_module_type_envoy_http_header,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_add_header(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        map: envoy_dynamic_module_type_http_header_type,
        key: envoy_dynamic_module_type_module_buffer,
        value: envoy_dynamic_module_type_module_buffer,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_set_header(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        map: envoy_dynamic_module_type_http_header_type,
        key: envoy_dynamic_module_type_module_buffer,
        value: envoy_dynamic_module_type_module_buffer,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_send_response(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        status_code: u32,
        headers: *const envoy_dynamic_module_type_module_http_header,
        headers_size: usize,
        body: envoy_dynamic_module_type_module_buffer,
        details: envoy_dynamic_module_type_module_buffer,
    );

    pub(crate) fn envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        namespace: envoy_dynamic_module_type_module_buffer,
        entries: *const envoy_dynamic_module_type_module_key_value_pair,
        entries_size: usize,
    );
    pub(crate) fn envoy_dynamic_module_callback_http_set_filter_state_bytes(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        key: envoy_dynamic_module_type_module_buffer,
        value: envoy_dynamic_module_type_module_buffer,
    ) -> bool;

    pub(crate) fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        attribute: envoy_dynamic_module_type_attribute_id,
        result: *mut envoy_dynamic_module_type_envoy_buffer,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_get_attribute_bool(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        attribute: envoy_dynamic_module_type_attribute_id,
        result: *mut bool,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_filter_get_attribute_int(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        attribute: envoy_dynamic_module_type_attribute_id,
        result: *mut u64,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_http_get_cluster_name(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
        result: *mut envoy_dynamic_module_type_envoy_buffer,
    ) -> bool;
    pub(crate) fn envoy_dynamic_module_callback_get_most_specific_route_config(
        filter: envoy_dynamic_module_type_http_filter_envoy_ptr,
    ) -> envoy_dynamic_module_type_http_filter_per_route_config_module_ptr;
}

impl envoy_dynamic_module_type_metrics_result {
    pub(crate) fn check(code: RawMetricsResult) -> Result<(), Self> {
        match code {
            0 => Ok(()),
            1 => Err(Self::MetricNotFound),
            2 => Err(Self::InvalidLabels),
            3 => Err(Self::Frozen),
            unknown => Err(Self::Unknown(unknown)),
        }
    }
}

impl envoy_dynamic_module_type_envoy_buffer {
    /// What a getter's out-parameter holds before the call.
    pub(crate) const NONE: Self = Self { ptr: std::ptr::null(), length: 0 };
}

impl envoy_dynamic_module_type_module_buffer {
    /// "No value": removes a header, leaves a body or details out.
    pub(crate) const NONE: Self = Self { ptr: std::ptr::null(), length: 0 };

    /// Lends `bytes` to Envoy. A present but empty value keeps a non-null pointer, which is how Envoy tells it from
    /// none.
    pub(crate) fn lend(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr().cast(), length: bytes.len() }
    }
}
