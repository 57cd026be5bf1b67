use super::*;

const HOUR: Duration = Duration::from_secs(3600);

struct Issuer {
    schedule: Schedule,
    start: Instant,
    fetches: Vec<u64>,
}

/// An issuer whose first fetch, at second 0, brought `k1` for an hour.
fn issuer() -> Issuer {
    let start = Instant::now();
    let mut issuer = Issuer { schedule: Schedule::new(start, []), start, fetches: vec![] };
    assert!(issuer.at(0), "the first fetch is due at once");
    issuer.brings(&["k1"], 0);
    issuer.fetches.clear();
    issuer
}

impl Issuer {
    fn time(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    fn at(&mut self, second: u64) -> bool {
        let begins = self.schedule.begin(self.time(second));
        if begins {
            self.fetches.push(second);
        }
        begins
    }

    fn brings(&mut self, kids: &[&str], second: u64) {
        let now = self.time(second);
        self.schedule.fetched(HOUR, kids.iter().map(|&kid| kid.to_owned()), now, 0.0);
    }

    fn asked_for(&mut self, kid: &str, second: u64) {
        let now = self.time(second);
        self.schedule.unknown_kid(kid, now);
    }
}

#[test]
fn refreshes_in_the_background_before_the_set_is_old() {
    let mut issuer = issuer();
    assert!(!issuer.at(2879));
    assert!(issuer.at(2880));
}

#[test]
fn a_new_kid_is_fetched_at_once() {
    let mut issuer = issuer();
    issuer.asked_for("k2", 100);
    assert!(issuer.at(100));
}

#[test]
fn a_known_kid_an_oversized_one_and_one_that_was_not_there_cause_no_fetch() {
    let mut issuer = issuer();
    issuer.asked_for("k1", 100);
    issuer.asked_for(&"k".repeat(MAX_KID + 1), 100);
    assert!(!issuer.at(100));
    issuer.asked_for("stranger", 100);
    assert!(issuer.at(100));
    issuer.brings(&["k1"], 100);
    issuer.asked_for("stranger", 200);
    assert!(!issuer.at(200), "in the negative cache");
    issuer.asked_for("stranger", 401);
    assert!(issuer.at(401), "forgotten after the negative lifetime");
}

#[test]
fn a_flood_of_unknown_kids_causes_one_fetch_in_thirty_seconds() {
    let mut issuer = issuer();
    for second in 1..=100 {
        for number in 0..50 {
            issuer.asked_for(&format!("random-{second}-{number}"), second);
        }
        if issuer.at(second) {
            issuer.brings(&["k1"], second);
        }
    }
    assert_eq!(issuer.fetches, [1, 31, 61, 91]);
    assert!(issuer.schedule.negative.len() <= MAX_NEGATIVE);
}

#[test]
fn a_kid_asked_for_within_the_interval_is_fetched_when_the_interval_ends() {
    let mut issuer = issuer();
    issuer.asked_for("stranger", 10);
    assert!(issuer.at(10));
    issuer.brings(&["k1"], 10);
    issuer.asked_for("k2", 11);
    assert!(!issuer.at(39));
    assert!(issuer.at(40));
}

#[test]
fn while_the_issuer_is_down_requests_add_no_fetches() {
    let mut issuer = issuer();
    let mut second = 2880;
    while second < 3600 {
        issuer.asked_for(&format!("random-{second}"), second);
        if issuer.at(second) {
            let now = issuer.time(second);
            issuer.schedule.failed(now, 1.0);
        }
        second += 1;
    }
    assert_eq!(issuer.fetches[..7], [2880, 2881, 2883, 2887, 2895, 2911, 2943]);
    assert!(issuer.fetches.len() < 20, "one a minute at most: {:?}", issuer.fetches);
}

#[test]
fn one_fetch_at_a_time() {
    let mut issuer = issuer();
    issuer.asked_for("k2", 100);
    assert!(issuer.at(100));
    issuer.asked_for("k3", 100);
    assert!(!issuer.at(100));
    assert_eq!(issuer.schedule.deadline(), None);
}
