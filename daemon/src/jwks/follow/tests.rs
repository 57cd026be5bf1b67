use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use super::super::fetch::Targets;
use super::*;

/// What the issuer answers, in turn; the last answer stays.
type Answers = Arc<Mutex<VecDeque<(StatusCode, &'static str)>>>;

async fn answer(State(answers): State<Answers>) -> (StatusCode, &'static str) {
    let mut answers = answers.lock().unwrap();
    if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] }
}

/// A key set is good here if it is a list of words.
fn words(text: &str) -> Result<Vec<String>, String> {
    if text.starts_with('{') {
        Err("not a list of words".into())
    } else {
        Ok(text.split(' ').map(str::to_owned).collect())
    }
}

struct Followed {
    sets: watch::Receiver<Option<KeySet>>,
    unknown: mpsc::Sender<String>,
}

impl Followed {
    async fn start(dir: &std::path::Path, answers: &[(StatusCode, &'static str)]) -> Self {
        let answers: Answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let app = Router::new().route("/jwks", get(answer)).with_state(answers);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let follower = Follower {
            issuer: "https://id.acme.example".into(),
            fetcher: Fetcher::new(url.parse().unwrap(), Targets::Any, &[]).unwrap(),
            max_stale: Duration::from_secs(3600),
            // The URL's port differs from run to run; the cache is to see the same one.
            cache: Cache::new(dir, "https://id.acme.example", "the url"),
            check: words,
        };
        let (unknown, receiver) = mpsc::channel(8);
        let (publish, sets) = watch::channel(None);
        tokio::spawn(follow(follower, receiver, publish));
        Self { sets, unknown }
    }

    async fn publishes(&mut self, jwks: &str) {
        let wanted = |set: &Option<KeySet>| set.as_ref().is_some_and(|set| &*set.jwks == jwks);
        tokio::time::timeout(Duration::from_secs(30), self.sets.wait_for(wanted))
            .await
            .expect("published in time")
            .expect("the follower lives");
    }
}

const DOWN: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "");

#[tokio::test]
async fn a_set_is_published_and_a_token_of_a_new_key_brings_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut followed =
        Followed::start(dir.path(), &[(StatusCode::OK, "k1"), (StatusCode::OK, "k1 k2")]).await;
    followed.publishes("k1").await;
    followed.unknown.send("k2".into()).await.unwrap();
    followed.publishes("k1 k2").await;
}

#[tokio::test]
async fn a_failure_and_a_bad_set_are_retried_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let answers = [(StatusCode::OK, "k1"), (StatusCode::OK, "{"), DOWN, (StatusCode::OK, "k1 k2")];
    let mut followed = Followed::start(dir.path(), &answers).await;
    followed.publishes("k1").await;
    followed.unknown.send("k2".into()).await.unwrap();
    followed.publishes("k1 k2").await;
}

#[tokio::test]
async fn after_a_restart_the_cached_set_serves_while_the_issuer_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Followed::start(dir.path(), &[(StatusCode::OK, "k1")]).await;
    first.publishes("k1").await;
    let fetched_at = first.sets.borrow().as_ref().unwrap().fetched_at;
    drop(first);
    let mut second = Followed::start(dir.path(), &[DOWN]).await;
    second.publishes("k1").await;
    assert_eq!(second.sets.borrow().as_ref().unwrap().fetched_at, fetched_at, "its age is not forgotten");
}
