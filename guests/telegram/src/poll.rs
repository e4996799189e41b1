//! Polling for updates: `getUpdates`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidegate_guest::{Batch, Update};

use crate::api::{self, Error, Request};

/// How long Telegram holds a poll open while there are no updates, in seconds; 50 is Telegram's maximum.
const HOLD: u32 = 50;
/// The timeout of one poll, in milliseconds.
const TIMEOUT: u32 = 60_000;
/// The maximum number of updates in one answer. The first is Telegram's limit; the smaller ones are tried when the
/// answer is larger than the host accepts.
const BATCHES: [u32; 3] = [100, 10, 1];
/// The pause after an update whose number could not be read, in milliseconds.
const PAUSE: u32 = 1_000;

/// Polls once.
pub(crate) fn poll(
    cursor: Option<&str>,
    reactions: bool,
    mut call: impl FnMut(&Request, Option<i64>) -> Result<Batch, Error>,
) -> Result<Batch, Error> {
    // Only this module writes cursors. An invalid cursor starts from the oldest update that Telegram still has.
    let offset = cursor.and_then(|cursor| cursor.parse().ok());
    let mut result = Err(Error::TooLarge(0));
    for limit in BATCHES {
        result = call(&request(offset, limit, reactions), offset);
        if !matches!(result, Err(Error::TooLarge(_))) {
            break;
        }
    }
    result
}

fn request(offset: Option<i64>, limit: u32, reactions: bool) -> Request {
    #[derive(Serialize)]
    struct GetUpdates {
        #[serde(skip_serializing_if = "Option::is_none")]
        offset: Option<i64>,
        limit: u32,
        timeout: u32,
        allowed_updates: Vec<&'static str>,
    }
    let mut allowed_updates = vec!["message", "edited_message", "callback_query", "my_chat_member"];
    if reactions {
        allowed_updates.push("message_reaction");
    }
    let request = Request::json("getUpdates", &GetUpdates { offset, limit, timeout: HOLD, allowed_updates });
    Request { timeout_ms: Some(TIMEOUT), ..request }
}

/// Splits an answer into its updates. Each update keeps Telegram's spelling; only its number is read.
///
/// An update whose number cannot be read gets a cursor that is one higher than the highest before it, so that the
/// updates after it are not lost. If its true number is higher, Telegram sends it again, and the cursor advances by one
/// each time: that is why there is a pause.
pub(crate) fn batch(result: &RawValue, offset: Option<i64>) -> Option<Batch> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        update_id: Option<&'a RawValue>,
    }
    let elements: Vec<&RawValue> = api::parse(Some(result))?;
    let (mut next, mut pause_ms) = (offset.unwrap_or_default(), 0);
    let updates = elements
        .into_iter()
        .map(|element| {
            let head: Option<Head> = api::parse(Some(element));
            let number: Option<i64> = head.and_then(|head| api::parse(head.update_id));
            let id = if let Some(number) = number {
                next = number.saturating_add(1);
                number.to_string()
            } else {
                next = next.saturating_add(1);
                pause_ms = PAUSE;
                "?".to_owned()
            };
            Update { id, cursor: next.to_string(), payload: element.get().as_bytes().to_vec() }
        })
        .collect();
    Some(Batch { updates, pause_ms })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn taken_apart(result: &str, offset: Option<i64>) -> Option<Batch> {
        batch(&RawValue::from_string(result.to_owned()).unwrap(), offset)
    }

    fn cursors(batch: &Batch) -> Vec<(&str, &str)> {
        batch.updates.iter().map(|update| (update.id.as_str(), update.cursor.as_str())).collect()
    }

    #[test]
    fn the_request_says_what_is_wanted() {
        let request = request(Some(9_007_199_254_740_993), 100, false);
        assert_eq!(request.timeout_ms, Some(60_000));
        assert_eq!(
            request.parameters(),
            json!({
                "offset": 9_007_199_254_740_993_i64, "limit": 100, "timeout": 50,
                "allowed_updates": ["message", "edited_message", "callback_query", "my_chat_member"]
            })
        );
        let first = super::request(None, 100, true).parameters();
        assert!(first.get("offset").is_none());
        assert_eq!(first["allowed_updates"][4], "message_reaction");
    }

    #[test]
    fn each_update_has_the_cursor_behind_it_and_its_own_spelling() {
        let batch = taken_apart(
            r#"[{"update_id":41, "message":{"x":1.50}},{"b":[],"update_id":9007199254740993}]"#,
            None,
        );
        let batch = batch.unwrap();
        assert_eq!(cursors(&batch), [("41", "42"), ("9007199254740993", "9007199254740994")]);
        assert_eq!(batch.updates[0].payload, br#"{"update_id":41, "message":{"x":1.50}}"#);
        assert_eq!(batch.pause_ms, 0);
        assert!(taken_apart("[]", Some(7)).unwrap().updates.is_empty());
    }

    #[test]
    fn an_update_without_a_number_is_passed() {
        for (result, offset, expected) in [
            // Between other updates.
            (
                r#"[{"update_id":10},{},{"update_id":12}]"#,
                Some(10),
                vec![("10", "11"), ("?", "12"), ("12", "13")],
            ),
            // Alone: the cursor advances, from every previous value.
            (r#"[{"update_id":"10"}]"#, Some(10), vec![("?", "11")]),
            ("[7]", Some(11), vec![("?", "12")]),
            (r#"[{"update_id":null}]"#, None, vec![("?", "1")]),
            (r#"[{"update_id":1.5},[]]"#, Some(5), vec![("?", "6"), ("?", "7")]),
        ] {
            let batch = taken_apart(result, offset).unwrap();
            assert_eq!(cursors(&batch), expected, "{result}");
            assert_eq!(batch.pause_ms, PAUSE, "{result}");
        }
    }

    #[test]
    fn what_is_no_list_is_no_batch() {
        for result in ["{}", "true", "null", r#""x""#] {
            assert!(taken_apart(result, None).is_none(), "{result}");
        }
    }

    #[test]
    fn numbers_can_begin_anew() {
        // Telegram chooses a new number after a week without updates; the new one may be lower.
        let batch = taken_apart(r#"[{"update_id":5}]"#, Some(900)).unwrap();
        assert_eq!(cursors(&batch), [("5", "6")]);
    }

    #[test]
    fn an_answer_that_is_too_large_is_asked_for_in_smaller_parts() {
        let mut limits = Vec::new();
        let result = poll(Some("7"), false, |request, offset| {
            assert_eq!(offset, Some(7));
            limits.push(request.parameters()["limit"].as_u64().unwrap());
            if limits.len() < 3 {
                return Err(Error::TooLarge(8));
            }
            Ok(Batch { updates: Vec::new(), pause_ms: 0 })
        });
        assert!(result.is_ok());
        assert_eq!(limits, [100, 10, 1]);

        let mut calls = 0;
        let result = poll(Some("no number"), false, |_, offset| {
            assert_eq!(offset, None);
            calls += 1;
            Err(Error::Failed(tidegate_guest::Fault::Unavailable(String::new())))
        });
        assert!(result.is_err());
        assert_eq!(calls, 1);
    }

    proptest! {
        #[test]
        fn the_cursor_always_moves_behind_what_was_given(
            ids in prop::collection::vec(prop::option::of(0_i64..1000), 1..20),
            offset in prop::option::of(0_i64..1000),
        ) {
            let elements: Vec<_> = ids.iter().map(|id| json!({"update_id": id})).collect();
            let found = taken_apart(&serde_json::to_string(&elements).unwrap(), offset).unwrap();
            prop_assert_eq!(found.updates.len(), ids.len());
            for (update, id) in found.updates.iter().zip(&ids) {
                let cursor: i64 = update.cursor.parse().unwrap();
                match id {
                    Some(id) => prop_assert_eq!(cursor, id + 1),
                    None => prop_assert!(cursor > offset.unwrap_or_default() || ids.iter().flatten().next().is_some()),
                }
            }
        }
    }
}
