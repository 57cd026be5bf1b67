use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::config::listener::v3::Listener;
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;

use super::*;

use ResourceType::{Cluster as C, Endpoint as E, Extension as X, Listener as L, Route as R};

/// A snapshot written as words such as `C:books=1`: a cluster of that name with that content.
fn snapshot(words: &str) -> Arc<Snapshot> {
    let resource = |word: &str| {
        let (ty, rest) = word.split_once(':').unwrap();
        let (name, content) = rest.split_once('=').unwrap();
        let (name, content) = (name.to_owned(), content.to_owned());
        match ty {
            "C" => Resource::new(&Cluster { name, alt_stat_name: content, ..Default::default() }),
            "E" => {
                let mut message = ClusterLoadAssignment { cluster_name: name, ..Default::default() };
                message.named_endpoints.insert(content, Default::default());
                Resource::new(&message)
            }
            "L" => Resource::new(&Listener { name, stat_prefix: content, ..Default::default() }),
            "R" => Resource::new(&RouteConfiguration { name, vhost_header: content, ..Default::default() }),
            "X" => {
                let config = envoy_types::pb::google::protobuf::Any { type_url: content, value: vec![] };
                Resource::new(&TypedExtensionConfig { name, typed_config: Some(config) })
            }
            _ => panic!("{word}"),
        }
    };
    Arc::new(words.split_whitespace().map(resource).collect())
}

/// A client that answers as it is told to, with a virtual clock.
struct Client {
    stream: Stream,
    now: Instant,
    /// What the client was told and has not answered.
    inbox: Vec<Response>,
}

impl Client {
    fn new(dialect: Dialect, words: &str) -> Self {
        let now = Instant::now();
        Self { stream: Stream::new(dialect, snapshot(words)), now, inbox: vec![] }
    }

    fn request(&mut self, ty: ResourceType, names: Names, reply: Option<Reply>, known: Known) {
        let request = Request { ty, names, reply, known };
        let responses = self.stream.handle_request(request, self.now);
        self.inbox.extend(responses);
    }

    fn subscribe(&mut self, ty: ResourceType, names: &[&str]) {
        let names = Names::Change { subscribe: to_names(names), unsubscribe: vec![] };
        self.request(ty, names, None, Known::Versions(BTreeMap::new()));
    }

    fn unsubscribe(&mut self, ty: ResourceType, names: &[&str]) {
        let names = Names::Change { subscribe: vec![], unsubscribe: to_names(names) };
        self.request(ty, names, None, Known::Versions(BTreeMap::new()));
    }

    fn reconnect(&mut self, ty: ResourceType, names: &[&str], words: &str) {
        let versions = snapshot(words).of(ty).iter().map(|(n, r)| (n.clone(), r.version().clone())).collect();
        let names = Names::Change { subscribe: to_names(names), unsubscribe: vec![] };
        self.request(ty, names, None, Known::Versions(versions));
    }

    fn answer(&mut self, ty: ResourceType, error: Option<&str>) {
        let at = self.inbox.iter().position(|r| r.ty == ty).unwrap_or_else(|| panic!("no {ty} in the inbox"));
        let response = self.inbox.remove(at);
        let names = match self.stream.dialect {
            Dialect::Delta => Names::Change { subscribe: vec![], unsubscribe: vec![] },
            Dialect::Sotw if ty.has_wildcard() => Names::Exactly(vec![]),
            Dialect::Sotw => {
                Names::Exactly(self.stream.subscriptions[ty.index()].names.iter().cloned().collect())
            }
        };
        let reply = Reply { nonce: response.nonce, error: error.map(str::to_owned) };
        self.request(ty, names, Some(reply), Known::Versions(BTreeMap::new()));
    }

    fn ack(&mut self, ty: ResourceType) {
        self.answer(ty, None);
    }

    fn nack(&mut self, ty: ResourceType, reason: &str) {
        self.answer(ty, Some(reason));
    }

    fn change(&mut self, words: &str) {
        let responses = self.stream.handle_snapshot(snapshot(words), self.now);
        self.inbox.extend(responses);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        let responses = self.stream.handle_timeout(self.now);
        self.inbox.extend(responses);
    }

    /// The inbox as words: `+C:books` for what was sent, `-C:books` for what was removed, `.` between responses, and a
    /// bare type for an empty response.
    #[track_caller]
    fn expect(&self, expected: &str) {
        let words = |response: &Response| {
            let letter = match response.ty {
                C => "C",
                E => "E",
                X => "X",
                L => "L",
                R => "R",
                ResourceType::Secret => "S",
            };
            let sent = response.resources.iter().map(|r| format!("+{letter}:{}", r.name()));
            let removed = response.removed.iter().map(|name| format!("-{letter}:{name}"));
            let words: Vec<String> = sent.chain(removed).collect();
            if words.is_empty() { letter.to_owned() } else { words.join(" ") }
        };
        let found: Vec<String> = self.inbox.iter().map(words).collect();
        assert_eq!(found.join(" . "), expected, "{:#?}", self.stream);
    }

    /// A client that has everything of `words` from an earlier stream.
    fn connected(words: &str) -> Self {
        let mut client = Self::new(Dialect::Delta, words);
        for ty in [C, E, L, R] {
            let names: Vec<Name> = client.stream.target.of(ty).keys().cloned().collect();
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            if names.is_empty() {
                continue;
            }
            client.reconnect(ty, if ty.has_wildcard() { &[] } else { &names }, words);
        }
        client.expect("");
        assert!(client.stream.is_settled());
        client
    }
}

fn to_names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|&name| name.into()).collect()
}

const ONE: &str = "C:a=1 E:a=1 L:in=1 R:in=1 X:authz=1";
const TWO: &str = "C:a=1 E:a=1 C:b=1 E:b=1 L:in=1 R:in=2 X:authz=1";

#[test]
fn a_new_client_is_led_from_clusters_to_routes() {
    let mut client = Client::new(Dialect::Delta, ONE);
    client.subscribe(C, &[]);
    client.expect("+C:a");
    client.subscribe(L, &[]);
    client.expect("+C:a");
    client.subscribe(E, &["a"]);
    client.expect("+C:a . +E:a");
    client.ack(E);
    client.expect("+C:a");
    client.ack(C);
    client.expect("+L:in");
    client.subscribe(X, &["authz"]);
    client.subscribe(R, &["in"]);
    client.expect("+L:in . +X:authz");
    client.ack(L);
    client.expect("+X:authz . +R:in");
    client.ack(X);
    client.ack(R);
    client.expect("");
    assert!(client.stream.is_settled());
    assert_eq!(client.stream.next_deadline(), None);
}

#[test]
fn listeners_wait_for_the_endpoints_of_new_clusters_to_be_asked_for() {
    let mut client = Client::new(Dialect::Delta, ONE);
    client.subscribe(C, &[]);
    client.subscribe(L, &[]);
    client.ack(C);
    client.expect("");
    assert!(!client.stream.is_settled());
    client.subscribe(E, &["a"]);
    client.expect("+E:a");
    client.ack(E);
    client.expect("+L:in");
}

#[test]
fn a_client_that_never_asks_for_endpoints_is_not_waited_for_without_end() {
    let mut client = Client::new(Dialect::Delta, ONE);
    client.subscribe(C, &[]);
    client.subscribe(L, &[]);
    client.ack(C);
    assert_eq!(client.stream.next_deadline(), Some(client.now + ENDPOINTS_WAIT));
    client.wait(ENDPOINTS_WAIT);
    client.expect("+L:in");
}

#[test]
fn a_client_that_has_everything_is_sent_nothing() {
    let mut client = Client::new(Dialect::Delta, TWO);
    client.reconnect(C, &[], TWO);
    client.reconnect(E, &["a", "b"], TWO);
    client.reconnect(L, &[], TWO);
    client.reconnect(X, &["authz"], TWO);
    client.reconnect(R, &["in"], TWO);
    client.expect("");
    assert!(client.stream.is_settled());
}

#[test]
fn a_client_that_comes_back_is_sent_what_changed() {
    let mut client = Client::new(Dialect::Delta, "C:a=2 E:a=1 C:c=1 L:in=1 R:in=1");
    client.reconnect(C, &[], "C:a=1 C:b=1");
    client.expect("+C:a +C:c");
    client.reconnect(E, &["a"], "E:a=1");
    client.reconnect(L, &[], "L:in=1");
    client.reconnect(R, &["in"], "R:in=0");
    client.expect("+C:a +C:c . +E:a");
    client.ack(E);
    client.ack(C);
    client.expect("+R:in");
    client.ack(R);
    client.wait(REMOVAL_GRACE);
    client.expect("-C:b");
}

#[test]
fn endpoints_follow_a_cluster_that_was_made_anew_before_they_were_subscribed() {
    let mut client = Client::new(Dialect::Delta, "C:a=2 E:a=1");
    client.reconnect(C, &[], "C:a=1");
    client.reconnect(E, &["a"], "E:a=1");
    client.expect("+C:a . +E:a");
}

#[test]
fn an_addition_is_made_before_it_is_used_and_a_removal_after() {
    let mut client = Client::connected(ONE);
    client.change(TWO);
    client.expect("+C:b");
    client.subscribe(E, &["b"]);
    client.expect("+C:b . +E:b");
    client.ack(C);
    client.expect("+E:b");
    client.ack(E);
    client.expect("+R:in");
    client.ack(R);
    client.expect("");

    client.change(ONE);
    client.expect("+R:in");
    client.wait(REMOVAL_GRACE * 2);
    client.expect("+R:in");
    client.ack(R);
    client.expect("");
    assert_eq!(client.stream.next_deadline(), Some(client.now + REMOVAL_GRACE));
    client.wait(REMOVAL_GRACE);
    client.expect("-C:b");
    client.unsubscribe(E, &["b"]);
    client.ack(C);
    client.expect("");
    assert!(client.stream.is_settled());
    assert_eq!(client.stream.next_deadline(), None);
}

#[test]
fn a_cluster_that_comes_back_within_its_grace_is_left_alone() {
    let mut client = Client::connected(TWO);
    client.change(ONE);
    client.ack(R);
    client.wait(REMOVAL_GRACE / 2);
    client.change(TWO);
    client.expect("+R:in");
    client.ack(R);
    client.wait(REMOVAL_GRACE);
    client.expect("");
}

#[test]
fn the_endpoints_of_a_changed_cluster_are_sent_again() {
    let mut client = Client::connected(ONE);
    client.change("C:a=2 E:a=1 L:in=1 R:in=2");
    client.expect("+C:a . +E:a");
    client.ack(E);
    client.expect("+C:a");
    client.ack(C);
    client.expect("+R:in");
}

#[test]
fn a_client_that_answers_for_a_cluster_only_once_it_has_its_endpoints_is_not_kept_waiting() {
    let mut client = Client::connected(ONE);
    client.change(TWO);
    client.subscribe(E, &["b"]);
    client.expect("+C:b . +E:b");
    client.ack(E);
    client.ack(C);
    client.expect("+R:in");
}

#[test]
fn a_change_of_endpoints_is_sent_by_itself() {
    let mut client = Client::connected(TWO);
    client.change(&TWO.replace("E:a=1", "E:a=2"));
    client.expect("+E:a");
    client.ack(E);
    client.expect("");
}

#[test]
fn a_filter_configuration_waits_for_nothing() {
    let mut client = Client::connected(ONE);
    client.reconnect(X, &["authz"], ONE);
    client.change(&TWO.replace("X:authz=1", "X:authz=2"));
    client.expect("+X:authz . +C:b");
    client.change(&TWO.replace("X:authz=1", "X:authz=3"));
    client.ack(X);
    client.expect("+C:b . +X:authz");
}

#[test]
fn changes_that_come_without_end_do_not_keep_an_earlier_one_from_arriving() {
    let mut client = Client::connected("C:a=1 L:in=1 R:in=1");
    let mut routes_sent = 0;
    for round in 2..100 {
        client.change(&format!("C:a={round} L:in=1 R:in={round}"));
        // The answer to a response comes after the next change only.
        for response in std::mem::take(&mut client.inbox) {
            let ty = response.ty;
            routes_sent += usize::from(ty == R);
            client.inbox.push(response);
            client.ack(ty);
        }
    }
    assert!(routes_sent > 20, "{routes_sent}");
}

#[test]
fn only_the_last_of_several_changes_is_sent() {
    let mut client = Client::connected(ONE);
    for version in 2..9 {
        client.change(&ONE.replace("R:in=1", &format!("R:in={version}")));
    }
    client.expect("+R:in");
    client.ack(R);
    client.expect("+R:in");
    let last = snapshot("R:in=8");
    assert_eq!(client.inbox[0].resources[0].version(), last.resource(R, "in").unwrap().version());
    client.ack(R);
    client.expect("");
}

#[test]
fn a_refused_resource_is_left_out_until_it_changes() {
    let mut client = Client::connected(ONE);
    client.change(&ONE.replace("R:in=1", "R:in=bad"));
    client.nack(R, "no such cluster");
    client.expect("");
    assert!(client.stream.is_settled());
    let status = client.stream.status().into_iter().find(|status| status.ty == R).unwrap();
    assert_eq!(status.held, 1, "the last good one stays");
    assert_eq!(status.rejected["in"].reason, "no such cluster");

    client.change(&TWO.replace("R:in=2", "R:in=bad"));
    client.expect("+C:b");
    client.subscribe(E, &["b"]);
    client.ack(C);
    client.ack(E);
    client.expect("");

    client.change(TWO);
    client.expect("+R:in");
    client.ack(R);
    assert!(client.stream.status().iter().all(|status| status.rejected.is_empty()));
}

#[test]
fn the_resource_that_a_refusal_names_is_tried_by_itself_and_the_rest_goes_on() {
    let mut client = Client::connected("C:z=1");
    client.change("C:z=1 C:a=1 C:b=bad C:c=1");
    client.expect("+C:a +C:b +C:c");
    client.nack(C, "Error adding/updating cluster(s) b: no endpoints");
    client.expect("+C:a +C:c");
    client.ack(C);
    client.expect("+C:b");
    client.nack(C, "Error adding/updating cluster(s) b: no endpoints");
    client.expect("");
    assert!(client.stream.is_settled());
}

#[test]
fn whoever_is_blamed_and_accepted_alone_is_not_left_out() {
    let mut client = Client::connected("C:z=1");
    client.change("C:z=1 C:a=bad C:b=1");
    client.nack(C, "b is not to blame");
    client.expect("+C:a");
    client.nack(C, "b is not to blame");
    client.expect("+C:b");
    client.ack(C);
    let status = &client.stream.status()[0];
    assert_eq!(status.rejected.keys().map(|name| &**name).collect::<Vec<_>>(), ["a"]);
    assert_eq!(status.held, 2);
}

#[test]
fn the_resource_to_blame_is_found_without_being_named() {
    let names: Vec<String> = (0..100).map(|n| format!("C:n{n:02}=1")).collect();
    let mut client = Client::connected("C:z=1");
    client.change(&format!("C:z=1 {}", names.join(" ")));
    let mut responses = 0;
    while let Some(response) = client.inbox.first() {
        responses += 1;
        let is_bad = response.resources.iter().any(|resource| ["n17", "n63"].contains(&&**resource.name()));
        client.answer(C, is_bad.then_some("one of them is bad"));
    }
    let status = &client.stream.status()[0];
    assert_eq!(status.rejected.keys().map(|name| &**name).collect::<Vec<_>>(), ["n17", "n63"]);
    assert_eq!(status.held, 99);
    assert!(responses < 40, "{responses}");
}

#[test]
fn nothing_but_an_error_is_a_refusal() {
    let mut client = Client::new(Dialect::Delta, ONE);
    client.subscribe(C, &[]);
    // An answer to another response is no answer to this one.
    let reply = Reply { nonce: "77".into(), error: Some("old".into()) };
    let names = Names::Change { subscribe: vec![], unsubscribe: vec![] };
    client.request(C, names, Some(reply), Known::Versions(BTreeMap::new()));
    // A change of the subscription is no answer at all.
    client.subscribe(E, &["a"]);
    client.expect("+C:a . +E:a");
    client.ack(C);
    assert!(client.stream.status().iter().all(|status| status.rejected.is_empty()));
    assert_eq!(client.stream.status()[0].held, 1);
}

#[test]
fn the_refusal_of_a_removal_is_none() {
    let mut client = Client::connected("C:a=1 C:b=1");
    client.change("C:a=1");
    client.wait(REMOVAL_GRACE);
    client.nack(C, "cannot remove b");
    client.expect("");
    assert_eq!(client.stream.status()[0].held, 1);
}

#[test]
fn a_name_that_is_not_there_is_answered_with_its_absence() {
    let mut client = Client::new(Dialect::Delta, ONE);
    client.subscribe(R, &["out", "in"]);
    client.expect("+R:in -R:out");
    client.ack(R);
    client.change(&format!("{ONE} R:out=1"));
    client.expect("+R:out");
}

#[test]
fn a_name_asked_for_again_is_sent_again() {
    let mut client = Client::connected(ONE);
    client.unsubscribe(E, &["a"]);
    client.expect("");
    client.subscribe(E, &["a"]);
    client.expect("+E:a");
    client.ack(E);
    client.subscribe(E, &["a"]);
    client.expect("+E:a");
}

#[test]
fn a_client_that_wants_everything_is_answered_even_if_there_is_nothing() {
    let mut client = Client::new(Dialect::Delta, "");
    client.subscribe(C, &[]);
    client.expect("C");
    client.ack(C);
    client.subscribe(L, &["*"]);
    client.expect("L");
    client.subscribe(R, &[]);
    client.expect("L");
}

#[test]
fn what_is_not_wanted_is_not_sent() {
    let mut client = Client::connected(ONE);
    client.change(&format!("{ONE} R:out=1 E:q=1"));
    client.expect("");
    client.unsubscribe(R, &["in"]);
    client.change(&ONE.replace("R:in=1", "R:in=2"));
    client.expect("");
}

#[test]
fn a_large_snapshot_is_sent_in_parts() {
    let content = "x".repeat(MAX_RESPONSE / 3);
    let words: Vec<String> = ["a", "b", "c", "d"].iter().map(|name| format!("C:{name}={content}")).collect();
    let mut client = Client::new(Dialect::Delta, &words.join(" "));
    client.subscribe(C, &[]);
    client.expect("+C:a +C:b");
    client.ack(C);
    client.expect("+C:c +C:d");
    client.ack(C);
    client.expect("");

    let mut client = Client::new(Dialect::Delta, &format!("R:a={} R:b=1", "x".repeat(MAX_RESPONSE * 2)));
    client.subscribe(R, &["a", "b"]);
    client.expect("+R:a");
}

mod sotw {
    use super::*;

    fn ask(client: &mut Client, ty: ResourceType, names: &[&str], version: &str) {
        client.request(ty, Names::Exactly(to_names(names)), None, Known::Whole(version.into()));
    }

    fn connected(words: &str) -> Client {
        let mut client = Client::new(Dialect::Sotw, words);
        ask(&mut client, C, &[], "");
        client.ack(C);
        ask(&mut client, E, &["a"], "");
        client.ack(E);
        ask(&mut client, L, &[], "");
        client.ack(L);
        ask(&mut client, R, &["in"], "");
        client.ack(R);
        client.expect("");
        assert!(client.stream.is_settled());
        client
    }

    #[test]
    fn every_cluster_is_named_each_time_and_only_changed_endpoints() {
        let mut client = connected(ONE);
        client.change(TWO);
        client.expect("+C:a +C:b");
        let last = client.stream.subscriptions[E.index()].last_nonce.clone();
        let reply = Some(Reply { nonce: last, error: None });
        client.request(E, Names::Exactly(to_names(&["a", "b"])), reply, Known::Whole(String::new()));
        client.expect("+C:a +C:b . +E:b");
        client.ack(E);
        client.ack(C);
        client.expect("+R:in");
        client.ack(R);
        client.change(ONE);
        client.ack(R);
        client.wait(REMOVAL_GRACE);
        client.expect("+C:a");
    }

    #[test]
    fn a_client_that_has_everything_is_sent_nothing() {
        let mut first = Client::new(Dialect::Sotw, TWO);
        ask(&mut first, C, &[], "");
        let clusters = first.inbox[0].version.clone();
        first.ack(C);
        ask(&mut first, E, &["a", "b"], "");
        let endpoints = first.inbox[0].version.clone();

        let mut again = Client::new(Dialect::Sotw, TWO);
        ask(&mut again, C, &[], &clusters);
        ask(&mut again, E, &["a", "b"], &endpoints);
        again.expect("");

        let mut other = Client::new(Dialect::Sotw, ONE);
        ask(&mut other, C, &[], &clusters);
        other.expect("+C:a");
    }

    #[test]
    fn the_rest_goes_on_with_the_last_good_version_of_what_was_refused() {
        let mut client = connected(ONE);
        client.change("C:a=bad E:a=1 C:b=1 L:in=1 R:in=1");
        client.expect("+C:a +C:b . +E:a");
        client.ack(E);
        client.nack(C, "a is bad");
        client.expect("+C:a +C:b");
        let good = snapshot("C:a=1");
        assert_eq!(client.inbox[0].resources[0].version(), good.resource(C, "a").unwrap().version());
        client.ack(C);
        client.expect("+C:a +C:b . +E:a");
        client.ack(E);
        client.nack(C, "a is bad");
        client.expect("");
        assert_eq!(client.stream.status()[0].held, 2);
    }

    #[test]
    fn a_request_with_an_old_nonce_is_no_answer() {
        let mut client = Client::new(Dialect::Sotw, ONE);
        ask(&mut client, R, &["in"], "");
        let reply = Some(Reply { nonce: "0".into(), error: None });
        client.request(R, Names::Exactly(vec![]), reply, Known::Whole(String::new()));
        assert_eq!(client.stream.status()[0].pending, 1);
        client.ack(R);
        assert_eq!(client.stream.status()[0].held, 1);
    }
}
