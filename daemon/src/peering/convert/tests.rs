use std::net::IpAddr;
use std::num::NonZeroU16;

use catalyst_routing::attributes::{
    Attributes, Health, Host, MAX_CLUSTERS, MAX_TEXT_BYTES, NextHop, Origin, OriginKind, PathPrefix,
    Reflection, Region, SchemaDigest,
};
use catalyst_routing::name::{HostName, MAX_NAME_BYTES};
use catalyst_routing::notification::MAX_REASON_BYTES;
use catalyst_routing::path::{Hop, MAX_PATH_HOPS, Path};
use catalyst_routing::router::MAX_UPDATE_BYTES;
use catalyst_routing::tag::{MAX_TAG_BYTES, MAX_TAGS, Tag, Tags};

use super::*;

fn org(name: &str) -> OrgName {
    OrgName::new(name).expect("a name")
}

fn node(name: &str) -> NodeId {
    NodeId::new(name).expect("a name")
}

fn service(name: &str) -> Service {
    Service { name: ServiceName::new(name).expect("a name"), protocol: Protocol::Graphql }
}

fn plain() -> Attributes {
    let address = IpAddr::from([10, 0, 0, 1]);
    let next_hop = NextHop::new(Host::Address(address), 10_000).expect("a port");
    Attributes::new(Origin { org: org("acme.example"), node: None }, next_hop)
}

/// Every field other than it is by default.
fn full() -> Attributes {
    let mut full = plain();
    full.origin.node = Some(node("n1"));
    full.origin_kind = OriginKind::Incomplete;
    let hops = vec![Hop::node(org("acme.example"), node("n2")), Hop::org(org("other.example"))];
    full.path = Path::new(hops).expect("short");
    let host = Host::Name(HostName::new("edge.acme.example").expect("a name"));
    full.next_hop = NextHop::new(host, 65_535).expect("a port");
    (full.local_preference, full.med, full.weight) = (7, 8, NonZeroU16::MAX);
    full.tags = Tags::new(vec![Tag::new("public").expect("a tag")]).expect("one tag");
    full.health = Health::Unhealthy;
    full.region = Some(Region::new("eu").expect("a region"));
    full.path_prefix = Some(PathPrefix::new("/v1/").expect("a prefix"));
    full.schema = Some(SchemaDigest([9; 32]));
    full.reflection = Some(Reflection::new(node("n1"), vec![node("n3"), node("n4")]).expect("short"));
    full.only_to_customer = Some(org("third.example"));
    full
}

/// As long as everything may be.
fn longest() -> Attributes {
    let label = "a".repeat(63);
    let name = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(name.len(), MAX_NAME_BYTES);
    let mut longest = full();
    longest.origin = Origin { org: org(&name), node: Some(node(&name)) };
    longest.path = Path::new(vec![Hop::node(org(&name), node(&name)); MAX_PATH_HOPS]).expect("64 hops");
    let host = Host::Name(HostName::new(&name).expect("a name"));
    longest.next_hop = NextHop::new(host, 65_535).expect("a port");
    (longest.local_preference, longest.med) = (u32::MAX, u32::MAX);
    let tag = |i: usize| Tag::new(&format!("{i:0>width$}", width = MAX_TAG_BYTES)).expect("a tag");
    longest.tags = Tags::new((0..MAX_TAGS).map(tag).collect()).expect("32 tags");
    longest.region = Some(Region::new(&"a".repeat(MAX_TEXT_BYTES)).expect("a region"));
    let prefix = format!("/{}", "a".repeat(MAX_TEXT_BYTES - 1));
    longest.path_prefix = Some(PathPrefix::new(&prefix).expect("a prefix"));
    let clusters = vec![node(&name); MAX_CLUSTERS];
    longest.reflection = Some(Reflection::new(node(&name), clusters).expect("64 clusters"));
    longest.only_to_customer = Some(org(&name));
    longest
}

fn update(paths: Vec<Attributes>, services: Vec<Service>) -> Update {
    let paths = paths.into_iter().map(Arc::new).collect();
    Update { announce: vec![Announcement { paths, services }], ..Update::default() }
}

#[track_caller]
fn check_round(message: Message) {
    let outgoing = Outgoing::new(message.clone());
    assert_eq!(decode(encode(&outgoing)), Ok(message));
}

#[test]
fn every_message_comes_back_as_it_was_sent() {
    let restart = GracefulRestart { restart_secs: 65_535, restarting: true, forwarding_preserved: true };
    for role in [None, Some(Role::Provider), Some(Role::Customer), Some(Role::Peer)] {
        for graceful_restart in [None, Some(restart)] {
            check_round(Message::Open(Open {
                version: 1,
                org: org("acme.example"),
                node: node("n1"),
                instance: Instance(u64::MAX),
                sequence: 3,
                hold_time: HoldTime::DEFAULT,
                capabilities: Capabilities {
                    graceful_restart,
                    max_paths: NonZeroU8::new(4).expect("not 0"),
                    role,
                },
            }));
        }
    }
    check_round(Message::Keepalive);
    for refresh in [RouteRefresh::Request, RouteRefresh::Begin, RouteRefresh::End] {
        check_round(Message::RouteRefresh(refresh));
    }
    check_round(Message::KeySet(Arc::new(KeySet {
        org: org("acme.example"),
        issuer: "https://issuer.acme.example".into(),
        sequence: 7,
        max_age_secs: 3600,
        jwks: Bytes::from_static(b"{\"keys\":[]}"),
        signer: "k1".into(),
        signature: Bytes::from_static(b"signature"),
    })));
    for (code, _) in CODES {
        check_round(Message::Notification(Notification::new(code, "why")));
    }
}

#[test]
fn every_update_comes_back_as_it_was_sent() {
    check_round(Message::Update(Update { end_of_rib: true, ..Update::default() }));
    check_round(Message::Update(Update { withdraw: vec![service("a.acme.example")], ..Update::default() }));
    for attributes in [plain(), full(), longest()] {
        check_round(Message::Update(update(vec![attributes], vec![service("a.acme.example")])));
    }
    let v6 = NextHop::new(Host::Address("2001:db8::1".parse().expect("an address")), 1).expect("a port");
    let several = vec![full(), Attributes { next_hop: v6, ..plain() }];
    check_round(Message::Update(update(several, vec![service("a.acme.example"), service("b.acme.example")])));
    for protocol in Protocol::ALL {
        let service = Service { protocol, ..service("a.acme.example") };
        check_round(Message::Update(Update { withdraw: vec![service], ..Update::default() }));
    }
    for origin_kind in [OriginKind::Configured, OriginKind::Registered, OriginKind::Incomplete] {
        let attributes = Attributes { origin_kind, ..plain() };
        check_round(Message::Update(update(vec![attributes], vec![service("a.acme.example")])));
    }
}

/// The core ends an update by this bound, so it must be one.
#[test]
fn no_attributes_take_more_on_the_wire_than_the_core_believes() {
    for attributes in [plain(), full(), longest()] {
        let encoded = encode_attributes(&attributes).encoded_len();
        assert!(encoded <= attributes.wire_size(), "{encoded} > {}", attributes.wire_size());
    }
}

#[test]
fn the_longest_update_the_core_makes_fits_a_message() {
    let name = longest().origin.org.to_string();
    let services = vec![service(&name); MAX_UPDATE_BYTES / MAX_NAME_BYTES + 1];
    let mut full = Update { withdraw: services, ..Update::default() };
    assert!(
        proto::Update::encoded_len(&encode_update(&full)) >= MAX_UPDATE_BYTES,
        "more than the core would make"
    );
    full.announce = vec![Announcement {
        paths: std::iter::repeat_with(|| Arc::new(longest())).take(MAX_PATHS).collect(),
        services: vec![service(&name)],
    }];
    let frame = encode(&Outgoing::new(Message::Update(full)));
    assert!(frame.0.len() <= MAX_MESSAGE_BYTES, "{}", frame.0.len());
}

#[track_caller]
fn check_refused(content: Content, expected: &str, code: NotificationCode) {
    let frame = proto::SessionMessage { message: Some(content) }.encode_to_vec();
    let error = decode(Frame(frame.into())).expect_err(expected);
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(error.notification().code, code);
}

#[test]
fn a_message_that_is_none_is_refused_with_its_reason() {
    let malformed = NotificationCode::MalformedMessage;
    let open = || {
        let Message::Open(open) = Message::Open(Open {
            version: 1,
            org: org("acme.example"),
            node: node("n1"),
            instance: Instance(1),
            sequence: 1,
            hold_time: HoldTime::DEFAULT,
            capabilities: Capabilities::default(),
        }) else {
            unreachable!("it is one")
        };
        encode_open(&open)
    };
    let open_with = |change: fn(&mut proto::Open)| {
        let mut open = open();
        change(&mut open);
        Content::Open(open)
    };
    check_refused(open_with(|o| o.organisation = "Acme".into()), "'A' at byte 0", malformed);
    check_refused(open_with(|o| o.node.clear()), "node id is empty", malformed);
    check_refused(open_with(|o| o.hold_time_secs = 70_000), "hold_time_secs is 70000", malformed);
    let unacceptable = NotificationCode::UnacceptableHoldTime;
    check_refused(open_with(|o| o.hold_time_secs = 2), "hold time of 2 s", unacceptable);
    let role = |o: &mut proto::Open| o.capabilities.get_or_insert_default().role = 9;
    check_refused(open_with(role), "role has the unknown value 9", malformed);

    let refresh = |kind| Content::RouteRefresh(proto::RouteRefresh { kind });
    check_refused(refresh(0), "route refresh kind has the unknown value 0", malformed);
    check_refused(refresh(7), "route refresh kind has the unknown value 7", malformed);
    let farewell = proto::Notification { code: 99, reason: "x".repeat(1000) };
    check_refused(Content::Notification(farewell), "unknown code 99", malformed);

    let keys = proto::KeySet {
        organisation: "acme.example".into(),
        issuer: "https://issuer".into(),
        sequence: 1,
        max_age_secs: 1,
        jwks: Bytes::from_static(b"{}"),
        signer: "k".into(),
        signature: Bytes::from_static(b"s"),
    };
    let large = proto::KeySet { jwks: vec![0; MAX_KEY_SET_BYTES + 1].into(), ..keys.clone() };
    check_refused(Content::KeySet(large), "jwks has 65537 bytes", malformed);
    let unsigned = proto::KeySet { signature: Bytes::new(), ..keys };
    check_refused(Content::KeySet(unsigned), "signature has 0 bytes", malformed);
}

#[test]
fn a_frame_that_is_no_message_is_refused() {
    assert_eq!(decode(Frame(Bytes::new())), Err(FrameError::Empty));
    assert!(matches!(decode(Frame(Bytes::from_static(b"\xff\xff"))), Err(FrameError::Undecodable(_))));
    let long = Frame(vec![0; MAX_MESSAGE_BYTES + 1].into());
    assert_eq!(decode(long), Err(FrameError::TooLong(MAX_MESSAGE_BYTES + 1)));
    let reason = FrameError::Farewell { code: 1, reason: "y".repeat(MAX_REASON_BYTES) }.notification();
    assert!(reason.reason().len() <= MAX_REASON_BYTES);
}

/// Decodes an update in which b's attributes are as given and a's are good.
#[track_caller]
fn check_spoiled(change: impl Fn(&mut proto::Attributes), expected: &str) {
    let mut spoiled = encode_attributes(&full());
    change(&mut spoiled);
    check_spoiled_bytes(spoiled.encode_to_vec().into(), expected);
}

#[track_caller]
fn check_spoiled_bytes(spoiled: Bytes, expected: &str) {
    let good = encode_update(&update(vec![plain()], vec![service("a.acme.example")]));
    let services = vec![encode_service(&service("b.acme.example"))];
    let mut both = good;
    both.announce.insert(0, proto::Announcement { paths: vec![spoiled], services });
    let decoded = decode_update(both);
    assert_eq!(decoded.announce.len(), 1, "the other announcement is as good as before");
    assert_eq!(decoded.malformed.len(), 1);
    assert_eq!(decoded.malformed[0].service, Some(service("b.acme.example")));
    assert!(decoded.malformed[0].reason.contains(expected), "{}", decoded.malformed[0].reason);
}

#[test]
fn what_is_wrong_with_a_path_spoils_its_services_only() {
    check_spoiled(|a| a.origin = None, "no origin");
    check_spoiled(|a| a.origin.get_or_insert_default().organisation = "A".into(), "'A' at byte 0");
    check_spoiled(|a| a.origin_kind = 0, "origin kind has the unknown value 0");
    check_spoiled(|a| a.origin_kind = 9, "origin kind has the unknown value 9");
    check_spoiled(|a| a.path = vec![a.path[0].clone(); 65], "path of 65 hops");
    check_spoiled(|a| a.path[0].node = "-".into(), "begins or ends with `-`");
    check_spoiled(|a| a.next_hop = None, "no next hop");
    check_spoiled(|a| a.next_hop.get_or_insert_default().port = 0, "port 0");
    check_spoiled(|a| a.next_hop.get_or_insert_default().port = 65_536, "next hop's port is 65536");
    check_spoiled(|a| a.next_hop.get_or_insert_default().host = None, "no next hop's host");
    let short = proto::next_hop::Host::Address(Bytes::from_static(&[1, 2, 3]));
    check_spoiled(|a| a.next_hop.get_or_insert_default().host = Some(short.clone()), "address of 3 bytes");
    let named = proto::next_hop::Host::Name("10.0.0.1".into());
    check_spoiled(|a| a.next_hop.get_or_insert_default().host = Some(named.clone()), "IP address");
    check_spoiled(|a| a.weight = 0, "weight is 0");
    check_spoiled(|a| a.weight = 65_536, "weight is 65536");
    check_spoiled(|a| a.tags = vec!["t".into(); 33], "33 tags");
    check_spoiled(|a| a.tags = vec!["T".into()], "tag `T`");
    check_spoiled(|a| a.health = 0, "health has the unknown value 0");
    check_spoiled(|a| a.region = "EU".into(), "region `EU`");
    check_spoiled(|a| a.path_prefix = "/a/../b".into(), "path prefix");
    check_spoiled(|a| a.schema_sha256 = Bytes::from_static(&[1; 31]), "schema digest of 31 bytes");
    check_spoiled(|a| a.reflection = Some(proto::Reflection::default()), "node id is empty");
    let long = proto::Reflection { originator: "n".into(), clusters: vec!["n".into(); 65] };
    check_spoiled(|a| a.reflection = Some(long.clone()), "cluster list of 65");
    check_spoiled(|a| a.only_to_customer = "A".into(), "'A' at byte 0");
    check_spoiled_bytes(Bytes::from_static(b"\xff\xff\xff"), "attributes that are none");
}

#[test]
fn too_many_paths_or_none_spoil_their_services_only() {
    let good = encode_update(&update(vec![plain()], vec![service("a.acme.example")]));
    for count in [0, 9] {
        let mut bad = good.clone();
        bad.announce[0].paths = vec![good.announce[0].paths[0].clone(); count];
        let decoded = decode_update(bad);
        assert!(decoded.announce.is_empty());
        let expected = format!("{count} paths; expected 1 to 8");
        assert_eq!(decoded.malformed[0].reason, expected.into());
    }
}

#[test]
fn a_service_that_cannot_be_named_spoils_nothing_else() {
    let names = ["a.acme.example", "A.acme.example", "b.acme.example"];
    let services = names.map(|name| proto::Service { name: name.into(), protocol: 1 });
    let bad_protocol = proto::Service { name: names[0].into(), protocol: 77 };
    let paths = vec![encode_attributes(&plain()).encode_to_vec().into()];
    let update = proto::Update {
        withdraw: vec![services[1].clone(), services[2].clone(), bad_protocol],
        announce: vec![proto::Announcement { paths, services: services.into() }],
        end_of_rib: true,
    };
    let decoded = decode_update(update);
    assert_eq!((decoded.withdraw.len(), decoded.announce[0].services.len()), (1, 2));
    let unnamed = decoded.malformed.iter().filter(|m| m.service.is_none()).count();
    assert_eq!((decoded.malformed.len(), unnamed), (3, 3));
    assert!(decoded.end_of_rib);
}
