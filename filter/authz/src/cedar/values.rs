//! Values of Cedar, built directly: an expression would have to be evaluated first, which is far slower.

use std::net::IpAddr;

use cedar_policy_core::ast::{Name, PartialValue, Value};
use cedar_policy_core::extensions::Extensions;
use smol_str::SmolStr;

use crate::config::ClaimType;
use crate::jose::json::Json;
use crate::request::Timestamp;

pub(super) fn string(text: &str) -> Value {
    Value::from(SmolStr::from(text))
}

pub(super) fn strings<'a>(items: impl Iterator<Item = &'a str>) -> Value {
    Value::set(items.map(string), None)
}

pub(super) fn record(members: impl IntoIterator<Item = (SmolStr, Value)>) -> Value {
    Value::record(members, None)
}

/// A claim in its declared type; `None` where the token has another.
pub(super) fn claim(claim_type: ClaimType, value: &Json<'_>) -> Option<Value> {
    match (claim_type, value) {
        (ClaimType::String, Json::String(text)) => Some(string(text)),
        (ClaimType::Long, Json::Integer(number)) => Some(Value::from(*number)),
        (ClaimType::Bool, Json::Bool(value)) => Some(Value::from(*value)),
        (ClaimType::StringSet, value) => Some(strings(value.as_strings()?.into_iter())),
        (ClaimType::String | ClaimType::Long | ClaimType::Bool, _) => None,
    }
}

pub(super) fn address(address: IpAddr) -> Option<Value> {
    extension("ip", &address.to_string())
}

/// Cedar's `datetime` at a whole second.
pub(super) fn datetime(time: Timestamp) -> Option<Value> {
    let (days, rest) = (time.unix_seconds() / 86_400, time.unix_seconds() % 86_400);
    let (hours, minutes, seconds) = (rest / 3600, rest / 60 % 60, rest % 60);
    let (year, month, day) = civil(days);
    extension("datetime", &format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}Z"))
}

fn extension(function: &str, argument: &str) -> Option<Value> {
    let name: Name = function.parse().ok()?;
    match Extensions::all_available().func(&name).ok()?.call(&[string(argument)]).ok()? {
        PartialValue::Value(value) => Some(value),
        PartialValue::Residual(_) => None,
    }
}

/// The Gregorian date that many days after 1970-01-01: counts cycles of 400 years, which have 146,097 days each,
/// in years that begin in March. Years beyond 9999, which Cedar cannot write, become 9999-12-31.
fn civil(days: u64) -> (u64, u64, u64) {
    const LAST_DAY_OF_9999: u64 = 2_932_896;
    const MARCH_OF_YEAR_0_TO_1970: u64 = 719_468;
    let shifted = days.min(LAST_DAY_OF_9999) + MARCH_OF_YEAR_0_TO_1970;
    let (cycle, day_of_cycle) = (shifted / 146_097, shifted % 146_097);
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (cycle * 400 + year_of_cycle + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_gregorian_calendar() {
        for (seconds, date) in [
            (0, (1970, 1, 1)),
            (951_782_400, (2000, 2, 29)),
            (951_868_800, (2000, 3, 1)),
            (1_709_164_800, (2024, 2, 29)),
            (4_107_542_400, (2100, 3, 1)),
            (253_402_300_799, (9999, 12, 31)),
            (u64::MAX, (9999, 12, 31)),
        ] {
            assert_eq!(civil(seconds / 86_400), date, "{seconds}");
        }
    }

    #[test]
    fn days_follow_each_other_for_a_thousand_years() {
        let mut before = civil(0);
        for day in 1..365_250 {
            let after = civil(day);
            let next_day = after.0 == before.0 && after.1 == before.1 && after.2 == before.2 + 1;
            let next_month = after.2 == 1 && before.2 >= 28;
            assert!(next_day || next_month, "{before:?} {after:?}");
            before = after;
        }
    }

    #[test]
    fn addresses_and_times_become_extension_values() {
        assert!(address("10.0.0.1".parse().expect("address")).is_some());
        assert!(address("2001:db8::1".parse().expect("address")).is_some());
        assert!(datetime(Timestamp::from_unix_seconds(1_750_000_000)).is_some());
        assert!(datetime(Timestamp::from_unix_seconds(u64::MAX)).is_some());
    }
}
