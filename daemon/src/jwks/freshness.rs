//! How long a fetched key set is fresh.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};

/// Lifetime of a set whose issuer says nothing about it.
pub const DEFAULT: Duration = Duration::from_secs(300);

/// A shorter lifetime, also `no-cache` and `no-store`, counts as this: an issuer cannot make us its load test.
pub const MIN: Duration = Duration::from_secs(30);

/// A longer lifetime counts as this, so that a key taken back is gone within a day even where the issuer is careless.
pub const MAX: Duration = Duration::from_secs(24 * 3600);

/// The lifetime that the response's `Cache-Control` and `Age` give (RFC 9111, 4.2 and 5.2.2), within [`MIN`] and [`MAX`].
pub fn lifetime(headers: &HeaderMap) -> Duration {
    let mut max_age = None;
    for value in headers.get_all(CACHE_CONTROL) {
        // Bytes that are not text hold no directive that we know.
        let Ok(value) = value.to_str() else { continue };
        for directive in value.split(',') {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => return MIN,
                // The first one counts (RFC 9111, 4.2.1); one that is not a number means stale.
                "max-age" if max_age.is_none() => {
                    max_age = Some(argument.trim().trim_matches('"').parse().unwrap_or(0));
                }
                _ => {}
            }
        }
    }
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok()).unwrap_or(0);
    let lifetime = max_age.map_or(DEFAULT, |max_age: u64| Duration::from_secs(max_age.saturating_sub(age)));
    lifetime.clamp(MIN, MAX)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(headers: &[(http::HeaderName, &'static str)], seconds: u64) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        assert_eq!(lifetime(&headers), Duration::from_secs(seconds), "{headers:?}");
    }

    #[test]
    fn the_issuer_says_how_long_within_our_bounds() {
        check(&[], 300);
        check(&[(CACHE_CONTROL, "public, max-age=600")], 600);
        check(&[(CACHE_CONTROL, "Max-Age=\"600\" , public")], 600);
        check(&[(CACHE_CONTROL, "max-age=600"), (AGE, "200")], 400);
        check(&[(CACHE_CONTROL, "max-age=600"), (AGE, "700")], 30);
        check(&[(CACHE_CONTROL, "max-age=5")], 30);
        check(&[(CACHE_CONTROL, "max-age=99999999")], 86_400);
        check(&[(CACHE_CONTROL, "max-age=600, no-store")], 30);
        check(&[(CACHE_CONTROL, "no-cache")], 30);
        check(&[(CACHE_CONTROL, "max-age=soon")], 30);
        check(&[(CACHE_CONTROL, "max-age=-1")], 30);
        check(&[(CACHE_CONTROL, "s-maxage=5, immutable")], 300);
    }
}
