use super::*;
use crate::testing::{attributes, hops, org, service, tag};

fn pattern(text: &str) -> ServicePattern {
    ServicePattern::new(text).expect("a pattern")
}

fn rule(when: Vec<Condition>, edits: Vec<Edit>, then: Then) -> Rule {
    Rule { name: String::new(), when, edits, then }
}

fn route() -> Attributes {
    let mut route = attributes("n1", 0);
    route.tags = Tags::new(vec![tag("public")]).expect("one tag");
    route.path = hops("other.example acme.example");
    route.region = Some(Region::new("eu").expect("a region"));
    route
}

#[track_caller]
fn evaluate(rules: Vec<Rule>, name: &str) -> Verdict {
    let (service, attributes) = (service(name), route());
    let policy = Policy::new(rules).expect("a policy");
    policy.evaluate(&Candidate { service: &service, attributes: &attributes, table: TableKind::External })
}

fn accept(applied: &[u16]) -> Verdict {
    Verdict::Accept(AppliedRules::from_slice(applied))
}

#[test]
fn every_condition_tells_routes_apart() {
    let holds = |condition: Condition| {
        evaluate(vec![rule(vec![condition], vec![], Then::Accept)], "books") == accept(&[])
    };
    assert!(holds(Condition::Service(vec![pattern("films.acme.example"), pattern("*.acme.example")])));
    assert!(!holds(Condition::Service(vec![pattern("films.acme.example")])));
    assert!(holds(Condition::Protocol(vec![Protocol::Graphql])));
    assert!(!holds(Condition::Protocol(vec![Protocol::Tcp])));
    assert!(holds(Condition::Tag(vec![tag("secret"), tag("public")])));
    assert!(!holds(Condition::Tag(vec![tag("secret")])));
    assert!(holds(Condition::Origin(vec![org("acme.example")])));
    assert!(!holds(Condition::Origin(vec![org("other.example")])));
    assert!(holds(Condition::PathContains(vec![org("other.example")])));
    assert!(!holds(Condition::PathContains(vec![org("third.example")])));
    assert!(holds(Condition::Region(vec![Region::new("eu").expect("a region")])));
    assert!(!holds(Condition::Region(vec![Region::new("us").expect("a region")])));
    assert!(holds(Condition::Table(TableKind::External)));
    assert!(!holds(Condition::Table(TableKind::Internal)));
    assert!(holds(Condition::PathAtMost(2)));
    assert!(!holds(Condition::PathAtMost(1)));
    assert!(!holds(Condition::Not(Box::new(Condition::PathAtMost(2)))));
}

#[test]
fn a_route_that_no_rule_decides_is_rejected() {
    assert_eq!(evaluate(vec![], "books"), Verdict::Reject { rule: None });
    let only_changes = vec![rule(vec![], vec![Edit::Med(1)], Then::Continue)];
    assert_eq!(evaluate(only_changes, "books"), Verdict::Reject { rule: None });
    let open = Policy::with_default(vec![], true).expect("a policy");
    let (service, attributes) = (service("books"), route());
    let candidate = Candidate { service: &service, attributes: &attributes, table: TableKind::Internal };
    assert_eq!(open.evaluate(&candidate), accept(&[]));
}

#[test]
fn all_conditions_of_a_rule_must_hold_and_the_first_decision_counts() {
    let books = || Condition::Service(vec![pattern("books.acme.example")]);
    let public = || Condition::Tag(vec![tag("public")]);
    let rules = || {
        vec![
            rule(vec![], vec![Edit::Med(7)], Then::Continue),
            rule(vec![books(), Condition::Not(Box::new(public()))], vec![], Then::Reject),
            rule(vec![books()], vec![Edit::LocalPreference(200)], Then::Accept),
            rule(vec![], vec![], Then::Reject),
        ]
    };
    assert_eq!(evaluate(rules(), "books"), accept(&[0, 2]));
    assert_eq!(evaluate(rules(), "films"), Verdict::Reject { rule: Some(3) });
}

#[test]
fn edits_are_made_in_order() {
    let edits = vec![
        Edit::LocalPreference(200),
        Edit::Med(9),
        Edit::Weight(NonZeroU16::MIN),
        Edit::Prepend(2),
        Edit::AddTag(tag("seen")),
        Edit::RemoveTag(tag("public")),
    ];
    let policy = Policy::new(vec![rule(vec![], edits, Then::Accept)]).expect("a policy");
    let mut changed = route();
    policy.apply(&[0], &mut changed, &Hop::org(org("me.example"))).expect("it fits");
    assert_eq!((changed.local_preference, changed.med, changed.weight.get()), (200, 9, 1));
    assert_eq!(changed.path, hops("me.example me.example other.example acme.example"));
    assert_eq!(changed.tags, Tags::new(vec![tag("seen")]).expect("one tag"));
    let policy = Policy::new(vec![rule(vec![], vec![Edit::ClearTags], Then::Accept)]).expect("a policy");
    policy.apply(&[0], &mut changed, &Hop::org(org("me.example"))).expect("it fits");
    assert!(changed.tags.is_empty());
}

#[test]
fn a_change_that_does_not_fit_is_an_error() {
    let me = Hop::org(org("me.example"));
    let policy = Policy::new(vec![rule(vec![], vec![Edit::Prepend(16)], Then::Accept)]).expect("a policy");
    let mut long = route();
    long.path = long.path.prepended(&me, 50).expect("52 hops");
    assert_eq!(policy.apply(&[0], &mut long, &me).map_err(|e| e.rule()), Err(0));
    let add =
        Policy::new(vec![rule(vec![], vec![Edit::AddTag(tag("more"))], Then::Accept)]).expect("a policy");
    let mut full = route();
    full.tags = Tags::new((0..32).map(|i| tag(&format!("t{i}"))).collect()).expect("32 tags");
    assert_eq!(add.apply(&[0], &mut full, &me).map_err(|e| e.rule()), Err(0));
}

#[test]
fn refuses_rules_out_of_bounds_or_without_effect() {
    let many = vec![rule(vec![], vec![], Then::Accept); 1025];
    assert_eq!(Policy::new(many), Err(PolicyError::TooManyRules { count: 1025 }));
    let idle = vec![rule(vec![], vec![], Then::Continue)];
    assert_eq!(Policy::new(idle), Err(PolicyError::Idle { rule: 0 }));
    let long = vec![rule(vec![], vec![Edit::Prepend(17)], Then::Accept)];
    assert_eq!(Policy::new(long), Err(PolicyError::Prepend { rule: 0, times: 17 }));
}

#[test]
fn knows_whether_it_looks_at_the_service() {
    let looks = |condition| {
        Policy::new(vec![rule(vec![condition], vec![], Then::Accept)]).expect("a policy").looks_at_service()
    };
    assert!(looks(Condition::Not(Box::new(Condition::Service(vec![pattern("*")])))));
    assert!(looks(Condition::Protocol(vec![Protocol::Tcp])));
    assert!(!looks(Condition::Tag(vec![tag("public")])));
}
