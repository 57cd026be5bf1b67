//! The boundary without Envoy: this program exports the callbacks that the module imports, keeps one stream in
//! memory, and calls the module's hooks as Envoy does.
//!
//! That Envoy 1.40 accepts the hooks and means the same by the callbacks is shown by the end-to-end tests alone.
#![expect(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

mod envoy;

use std::any::Any;
use std::sync::Mutex;

use envoy::{Answer, Hook, Host, Module};
use envoy_dynamic_module::abi::{
    envoy_dynamic_module_type_attribute_id as Attribute,
    envoy_dynamic_module_type_http_header_type as HeaderMap,
    envoy_dynamic_module_type_on_http_filter_request_headers_status as RequestHeadersStatus,
};
use envoy_dynamic_module::hooks::{ABI_MISMATCH_DETAILS, PANIC_DETAILS};
use envoy_dynamic_module::{
    EnvoyCounterId, EnvoyHttpFilter, EnvoyHttpFilterConfig, EnvoyHttpFilterImpl, HttpFilter,
    HttpFilterConfig, MAX_HEADERS_ON_STACK, declare_init_functions,
};

declare_init_functions!(|| true, new_config, new_route_config);

/// What the next filter does; taken by the stream that is created next, under [`SERIAL`].
static BEHAVIOUR: Mutex<Option<Behaviour>> = Mutex::new(None);
/// The stand-in is process-wide, so one test at a time uses it.
static SERIAL: Mutex<()> = Mutex::new(());

type OnRequestHeaders = fn(&mut EnvoyHttpFilterImpl);

#[derive(Clone)]
enum Behaviour {
    PanicIn(&'static str),
    Run(OnRequestHeaders),
}

/// Counts its streams.
struct Config(EnvoyCounterId);

struct Filter(Behaviour);

fn new_config<EC: EnvoyHttpFilterConfig>(
    envoy: &mut EC,
    name: &str,
    config: &[u8],
) -> Option<Box<dyn HttpFilterConfig<EnvoyHttpFilterImpl>>> {
    assert_eq!(name, "authz");
    envoy.define_counter("other").ok()?;
    let streams = envoy.define_counter("streams").ok()?;
    match config {
        b"panic" => panic!("asked to"),
        b"refuse" => None,
        _ => Some(Box::new(Config(streams))),
    }
}

fn new_route_config(_name: &str, config: &[u8]) -> Option<Box<dyn Any + Send + Sync>> {
    assert_ne!(config, b"panic", "asked to");
    Some(Box::new(String::from_utf8(config.to_vec()).ok()?))
}

impl HttpFilterConfig<EnvoyHttpFilterImpl> for Config {
    fn new_http_filter(&self, envoy: &mut EnvoyHttpFilterImpl) -> Box<dyn HttpFilter<EnvoyHttpFilterImpl>> {
        envoy.increment_counter(self.0, 1).unwrap();
        let behaviour = BEHAVIOUR.lock().unwrap().clone().unwrap();
        let filter = Filter(behaviour);
        filter.enter("new");
        Box::new(filter)
    }
}

impl Filter {
    fn enter(&self, hook: &str) {
        if let Behaviour::PanicIn(there) = self.0 {
            assert_ne!(there, hook, "asked to");
        }
    }
}

/// A hook that only panics if asked to.
macro_rules! enters {
    ($($hook:ident $name:literal ($($end:ident)?) $status:ident;)*) => {$(
        fn $hook(&mut self, _: &mut EnvoyHttpFilterImpl $(, $end: bool)?) -> envoy_dynamic_module::abi::$status {
            $(let _: bool = $end;)?
            self.enter($name);
            envoy_dynamic_module::abi::$status::Continue
        }
    )*};
}

impl HttpFilter<EnvoyHttpFilterImpl> for Filter {
    fn on_request_headers(&mut self, envoy: &mut EnvoyHttpFilterImpl, _: bool) -> RequestHeadersStatus {
        self.enter("request_headers");
        if let Behaviour::Run(run) = self.0 {
            run(envoy);
        }
        RequestHeadersStatus::Continue
    }

    enters! {
        on_request_body "request_body" (end) envoy_dynamic_module_type_on_http_filter_request_body_status;
        on_request_trailers "request_trailers" () envoy_dynamic_module_type_on_http_filter_request_trailers_status;
        on_response_headers "response_headers" (end) envoy_dynamic_module_type_on_http_filter_response_headers_status;
        on_response_body "response_body" (end) envoy_dynamic_module_type_on_http_filter_response_body_status;
        on_response_trailers "response_trailers" () envoy_dynamic_module_type_on_http_filter_response_trailers_status;
    }

    fn on_stream_complete(&mut self, _: &mut EnvoyHttpFilterImpl) {
        self.enter("stream_complete");
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.enter("drop");
        }
    }
}

/// Starts the module in a fresh stand-in and runs one stream with `behaviour` through all hooks.
fn run(host: Host, behaviour: Behaviour) -> Host {
    let _serial = SERIAL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    *BEHAVIOUR.lock().unwrap() = Some(behaviour);
    Module::start("authz", b"").unwrap().run(host)
}

fn check_panic(hook: &'static str, stopped_at: Option<Hook>, status: Option<u32>) {
    let host = run(Host::default(), Behaviour::PanicIn(hook));
    let expected =
        status.map(|status| Answer { status, details: Some(PANIC_DETAILS.to_owned()), ..Answer::default() });
    assert_eq!(host.answer, expected, "answer to a panic in {hook}");
    assert_eq!(host.stopped_at, stopped_at, "a panic in {hook}");
}

#[test]
fn a_panic_in_any_hook_denies_the_stream_and_unwinds_no_further() {
    check_panic("none", None, None);
    check_panic("new", Some(Hook::RequestHeaders), Some(500));
    check_panic("request_headers", Some(Hook::RequestHeaders), Some(500));
    check_panic("request_body", Some(Hook::RequestBody), Some(500));
    check_panic("request_trailers", Some(Hook::RequestTrailers), Some(500));
    check_panic("response_headers", Some(Hook::ResponseHeaders), Some(500));
    check_panic("response_body", Some(Hook::ResponseBody), Some(500));
    check_panic("response_trailers", Some(Hook::ResponseTrailers), Some(500));
    check_panic("stream_complete", None, None);
    check_panic("drop", None, None);
}

#[test]
fn a_configuration_that_panics_or_refuses_is_null() {
    let _serial = SERIAL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    for (config, accepted) in [(&b"panic"[..], false), (b"refuse", false), (b"", true)] {
        assert_eq!(Module::start("authz", config).is_some(), accepted, "{config:?}");
    }
    for (config, accepted) in [(&b"panic"[..], false), (b"\xff", false), (b"x", true)] {
        assert_eq!(Module::accepts_route("authz", config), accepted, "{config:?}");
    }
}

#[test]
fn a_counter_counts_over_all_streams() {
    let _serial = SERIAL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    *BEHAVIOUR.lock().unwrap() = Some(Behaviour::PanicIn("none"));
    let module = Module::start("authz", b"").unwrap();
    for expected in 1..=3 {
        module.run(Host::default());
        assert_eq!(module.counter("streams"), expected);
    }
    assert_eq!(module.counter("other"), 0);
}

#[test]
fn a_stream_is_refused_when_an_attribute_number_means_something_else() {
    // Wherever an entry was added before the last that we use.
    for moved_from in 0..=58 {
        let host = Host { attributes_moved_from: moved_from, ..Host::default() };
        let host = run(host, Behaviour::Run(|_| panic!("the filter must not see the stream")));
        let details = Some(ABI_MISMATCH_DETAILS.to_owned());
        let expected = Some(Answer { status: 500, details, ..Answer::default() });
        assert_eq!(host.answer, expected, "moved from {moved_from}");
    }
}

#[test]
fn headers_are_read_added_replaced_and_removed() {
    let host = run(
        Host::default(),
        Behaviour::Run(|envoy| {
            assert_eq!(envoy.get_request_header_value(":path").unwrap().as_slice(), b"/a?b");
            assert!(envoy.get_request_header_value("absent").is_none());
            let (first, count) = envoy.get_request_header_value_and_count("twice");
            assert_eq!((first.unwrap().as_slice(), count), (&b"1"[..], 2));
            let all: Vec<_> =
                envoy.get_request_header_values("twice").iter().map(|value| value.as_slice()).collect();
            assert_eq!(all, [b"1", b"2"]);
            assert!(envoy.set_request_header("twice", b"3"));
            assert!(envoy.add_request_header("added", b"x"));
            assert!(envoy.set_request_header("empty", b""));
            assert!(envoy.remove_request_header(b"gone"));
        }),
    );
    let has = |name: &str| host.values(name);
    assert_eq!(has("twice"), ["3"]);
    assert_eq!(has("added"), ["x"]);
    assert_eq!(has("empty"), [""]);
    assert_eq!(has("gone"), [""; 0]);
}

#[test]
fn every_header_is_visited_however_many_there_are() {
    for extra in [0, 1, MAX_HEADERS_ON_STACK, MAX_HEADERS_ON_STACK + 1, 1000] {
        let mut host = Host::default();
        host.headers.extend((0..extra).map(|index| (format!("h{index}"), index.to_string())));
        let host = run(
            host,
            Behaviour::Run(|envoy| {
                let mut seen = Vec::new();
                envoy.for_each_header(HeaderMap::RequestHeader, &mut |key, value| {
                    seen.push((key.as_slice().to_vec(), value.as_slice().to_vec()));
                });
                let count = seen.len().to_string();
                let last = seen.pop().unwrap();
                envoy.set_request_header("count", count.as_bytes());
                envoy.set_request_header("last", &[last.0, last.1].join(&b'='));
            }),
        );
        let last = host.headers[host.headers.len() - 3].clone();
        assert_eq!(host.values("count"), [(host.headers.len() - 2).to_string()]);
        assert_eq!(host.values("last"), [format!("{}={}", last.0, last.1)]);
    }
}

#[test]
fn an_answer_carries_headers_body_and_details() {
    let host = run(
        Host::default(),
        Behaviour::Run(|envoy| {
            envoy.send_response(403, &[("x", b"1"), ("y", b"")], Some(b"no"), Some("denied"));
        }),
    );
    let answer = Answer {
        status: 403,
        headers: vec![("x".to_owned(), "1".to_owned()), ("y".to_owned(), String::new())],
        body: Some("no".to_owned()),
        details: Some("denied".to_owned()),
    };
    assert_eq!(host.answer, Some(answer));
}

#[test]
fn route_configuration_attributes_and_metadata_cross_the_boundary() {
    let host = Host { route_config: Some("books".to_owned()), ..Host::default() };
    let host = run(
        host,
        Behaviour::Run(|envoy| {
            let route = envoy.get_most_specific_route_config().unwrap().downcast_ref::<String>().unwrap();
            assert_eq!(route, "books");
            let address = envoy.get_attribute_string(Attribute::SourceAddress).unwrap();
            assert_eq!(address.as_slice(), b"192.0.2.1:99");
            assert!(envoy.get_attribute_string(Attribute::ConnectionUriSanPeerCertificate).is_none());
            assert_eq!(envoy.get_attribute_bool(Attribute::ConnectionMtls), None);
            envoy.set_dynamic_metadata_strings("catalyst", &[("subject", "alice"), ("issuer", "i")]);
            assert!(envoy.set_filter_state_bytes(b"catalyst.subject", b"bob"));
        }),
    );
    let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(host.metadata, [set("catalyst:subject", "alice"), set("catalyst:issuer", "i")]);
    assert_eq!(host.filter_state, [set("catalyst.subject", "bob")]);
}
