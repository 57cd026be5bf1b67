use axum::Router;
use axum::http::Response;
use axum::routing::get;
use tokio::net::TcpListener;

use super::*;

/// An issuer on loopback that answers each path in its own way.
async fn issuer() -> SocketAddr {
    let app = Router::new()
        .route(
            "/good",
            get(|headers: http::HeaderMap| async move {
                let etag = HeaderValue::from_static("\"v1\"");
                let unchanged = headers.get(IF_NONE_MATCH) == Some(&etag);
                Response::builder()
                    .status(if unchanged { 304 } else { 200 })
                    .header("etag", etag)
                    .header("cache-control", "max-age=600")
                    .body(if unchanged { String::new() } else { r#"{"keys":[]}"#.to_owned() })
                    .unwrap()
            }),
        )
        .route(
            "/redirect",
            get(|| async {
                Response::builder().status(302).header("location", "/good").body(String::new()).unwrap()
            }),
        )
        .route("/unasked-304", get(|| async { Response::builder().status(304).body(String::new()).unwrap() }))
        .route("/large", get(|| async { " ".repeat(MAX_BYTES + 1) }))
        .route("/binary", get(|| async { vec![0xff_u8, 0xfe] }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn fetcher(url: &str, targets: Targets) -> Fetcher {
    Fetcher::new(url.parse().unwrap(), targets, &[]).unwrap()
}

async fn fetch(path: &str) -> Result<Fetched, FetchError> {
    let address = issuer().await;
    fetcher(&format!("http://{address}/{path}"), Targets::Any).fetch(None).await
}

#[tokio::test]
async fn a_key_set_comes_with_its_lifetime_and_is_not_sent_again_while_unchanged() {
    let address = issuer().await;
    let fetcher = fetcher(&format!("http://{address}/good"), Targets::Any);
    let lifetime = Duration::from_secs(600);
    let etag = HeaderValue::from_static("\"v1\"");
    let first = fetcher.fetch(None).await.unwrap();
    assert_eq!(first, Fetched::New { body: r#"{"keys":[]}"#.into(), etag: Some(etag.clone()), lifetime });
    assert_eq!(fetcher.fetch(Some(&etag)).await.unwrap(), Fetched::Unchanged { lifetime });
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    assert!(
        matches!(fetch("redirect").await, Err(FetchError::Redirect { location, .. }) if location == "/good")
    );
}

#[tokio::test]
async fn other_answers_are_failures() {
    assert!(matches!(fetch("missing").await, Err(FetchError::Status { status: StatusCode::NOT_FOUND, .. })));
    assert!(matches!(fetch("large").await, Err(FetchError::TooLarge { .. })));
    assert!(matches!(fetch("binary").await, Err(FetchError::NotText { .. })));
    assert!(fetch("unasked-304").await.is_err());
}

#[tokio::test]
async fn without_leave_neither_plain_http_nor_a_private_target_is_fetched() {
    let address = issuer().await;
    let plain = fetcher(&format!("http://{address}/good"), Targets::Public).fetch(None).await;
    assert!(matches!(plain, Err(FetchError::Plain { .. })), "{plain:?}");
    for host in ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:192.168.0.1]", "localhost"] {
        let url = format!("https://{host}:{}/good", address.port());
        let refused = fetcher(&url, Targets::Public).fetch(None).await;
        assert!(matches!(refused, Err(FetchError::PrivateTarget { .. })), "{host}: {refused:?}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_is_a_transport_error() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let down = fetcher(&format!("http://{unused}/good"), Targets::Any).fetch(None).await;
    assert!(matches!(down, Err(FetchError::Transport { .. })), "{down:?}");
}

#[test]
fn only_public_addresses_are_public() {
    for address in
        ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "2606:4700::1111", "::ffff:8.8.8.8"]
    {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    for address in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:0a00:0001::1",
        "64:ff9b::a00:1",
    ] {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}
