//! Answers of the Bot API: `{"ok": true, "result": …}`, or `{"ok": false, "error_code": …, "description": …}`.
//!
//! Every field is read separately, so that a field of another type than documented does not affect the others.

use serde::Deserialize;
use serde_json::value::RawValue;
use tidegate_guest::Fault;

use super::error::{Error, Refusal};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    ok: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error_code: Option<&'a RawValue>,
    #[serde(borrow)]
    description: Option<&'a RawValue>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters<'a> {
    #[serde(borrow)]
    retry_after: Option<&'a RawValue>,
    #[serde(borrow)]
    migrate_to_chat_id: Option<&'a RawValue>,
}

/// Reads an answer. A body that is not an answer of a Bot API (a proxy's error page, a truncated answer) means that
/// Telegram is unreachable, with every status.
pub(super) fn read<R>(
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
    read: impl FnOnce(&RawValue) -> Option<R>,
) -> Result<R, Error> {
    // One invalid byte in a person's message must not block the poll: the same answer would arrive again and again.
    let body = String::from_utf8_lossy(body);
    let envelope: Option<Envelope> = serde_json::from_str(&body).ok();
    let ok = envelope.as_ref().and_then(|envelope| parse::<bool>(envelope.ok));
    match (ok, envelope) {
        (Some(true), Some(Envelope { result: Some(result), .. })) => {
            read(result).ok_or_else(|| broken(status, "a result that makes no sense"))
        }
        (Some(true), _) => Err(broken(status, "no result")),
        (Some(false), Some(envelope)) => Err(Error::Refused(refusal(status, headers, &envelope))),
        // A proxy may limit requests too.
        _ if status == 429 => Err(Error::Refused(refusal(status, headers, &Envelope::default()))),
        _ => Err(broken(status, "something that is no answer of the Bot API")),
    }
}

fn refusal(status: u16, headers: &[(String, String)], envelope: &Envelope) -> Refusal {
    let parameters: Parameters = parse(envelope.parameters).unwrap_or_default();
    let header = || {
        let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
        value.trim().parse().ok()
    };
    Refusal {
        code: parse(envelope.error_code).unwrap_or(status),
        description: clean(&parse::<String>(envelope.description).unwrap_or_default()),
        retry_after: parse(parameters.retry_after).or_else(header),
        moved_to: parse(parameters.migrate_to_chat_id),
    }
}

fn broken(status: u16, what: &str) -> Error {
    Error::Failed(Fault::Unavailable(format!("Telegram's server sent {what} (HTTP {status})")))
}

/// Reduces a description to one line of limited length: it goes to logs and to people.
fn clean(description: &str) -> String {
    description
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(300)
        .collect()
}

/// Reads one value; returns `None` if it has another type.
pub(crate) fn parse<'a, T: Deserialize<'a>>(value: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(value?.get()).ok()
}

/// Reads an integer as text, without conversion to a float.
pub(crate) fn integer(value: Option<&RawValue>) -> Option<String> {
    parse::<i64>(value).map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_number(status: u16, body: &str) -> Result<i64, Error> {
        read(status, &[], body.as_bytes(), |result| parse(Some(result)))
    }

    #[test]
    fn a_result_is_read() {
        assert!(matches!(
            read_number(200, r#"{"ok":true,"result":9007199254740993}"#),
            Ok(9_007_199_254_740_993)
        ));
        assert!(matches!(read_number(200, r#"{"result":7,"more":[],"ok":true,"description":7}"#), Ok(7)));
    }

    #[test]
    fn what_is_no_answer_is_telegram_being_out_of_reach() {
        for (status, body) in [
            (502, "<html>bad gateway</html>"),
            (404, "<html>not found</html>"),
            (200, ""),
            (200, "{"),
            (200, "[]"),
            (200, "{}"),
            (200, r#"{"ok":"yes","result":1}"#),
            (200, r#"{"ok":true}"#),
            (200, r#"{"ok":true,"result":"seven"}"#),
            (200, r#"{"ok":true,"result":1"#),
        ] {
            match read_number(status, body) {
                Err(Error::Failed(Fault::Unavailable(text))) => {
                    assert!(text.contains(&format!("HTTP {status}")), "{text}");
                }
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_refusal_is_read_field_by_field() {
        let refusal = |code, description: &str, retry_after, moved_to| Refusal {
            code,
            description: description.to_owned(),
            retry_after,
            moved_to,
        };
        for (status, body, expected) in [
            (
                400,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#,
                refusal(400, "Bad Request: chat not found", None, None),
            ),
            (
                429,
                r#"{"ok":false,"error_code":429,"description":"Too Many","parameters":{"retry_after":31}}"#,
                refusal(429, "Too Many", Some(31), None),
            ),
            (
                400,
                r#"{"ok":false,"error_code":400,"description":"x","parameters":{"migrate_to_chat_id":-1002147483649123}}"#,
                refusal(400, "x", None, Some(-1_002_147_483_649_123)),
            ),
            // The wrong type of one field does not affect the others.
            (
                403,
                r#"{"ok":false,"error_code":"403","description":["x"],"parameters":{"retry_after":-1,"migrate_to_chat_id":-5}}"#,
                refusal(403, "", None, Some(-5)),
            ),
            (400, r#"{"ok":false,"description":"a\nb","parameters":7}"#, refusal(400, "a b", None, None)),
            (500, r#"{"ok":false}"#, refusal(500, "", None, None)),
        ] {
            match read_number(status, body) {
                Err(Error::Refused(found)) => assert_eq!(found, expected, "{body}"),
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_limit_may_come_from_a_proxy() {
        let headers = [("Retry-After".to_owned(), " 12".to_owned())];
        for body in ["<html>", r#"{"ok":false,"error_code":429}"#] {
            match read(429, &headers, body.as_bytes(), |_| Some(())) {
                Err(Error::Refused(refusal)) => {
                    assert_eq!((refusal.code, refusal.retry_after), (429, Some(12)));
                }
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn one_broken_byte_does_not_break_an_answer() {
        let body = [br#"{"ok":true,"result":"a"#.as_slice(), &[0xff], br#"\ud800"}"#].concat();
        assert!(matches!(read(200, &[], &body, |result| Some(result.get().len())), Ok(12)));
    }
}
