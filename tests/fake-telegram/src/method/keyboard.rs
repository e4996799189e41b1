//! Buttons below a message.

use serde_json::{Map, Value};

use crate::{error::ApiError, request::Request};

/// The maximum length of a button's data, in bytes.
const DATA: usize = 64;
/// The maximum number of buttons of one message.
const BUTTONS: usize = 100;

/// The fields that give a button its action: each button needs exactly one.
const ACTIONS: [&str; 10] = [
    "callback_data",
    "callback_game",
    "copy_text",
    "login_url",
    "pay",
    "switch_inline_query",
    "switch_inline_query_chosen_chat",
    "switch_inline_query_current_chat",
    "url",
    "web_app",
];

/// Returns the keyboard for the message; other markup concerns the person's own keyboard and is not shown.
pub(super) fn inline(request: &Request) -> Result<Option<Value>, ApiError> {
    let markup = request
        .json("reply_markup")
        .map_err(|()| ApiError::bad_request("can't parse reply keyboard markup JSON object"))?;
    let Some(markup) = markup else { return Ok(None) };
    let Value::Object(markup) = markup else {
        return Err(ApiError::bad_request("object expected as reply markup"));
    };
    let Some(rows) = markup.get("inline_keyboard") else { return Ok(None) };
    let shape = || {
        ApiError::bad_request(
            "field \"inline_keyboard\" of the InlineKeyboardMarkup must be an Array of Arrays",
        )
    };
    let mut shown = Vec::new();
    for row in rows.as_array().ok_or_else(shape)? {
        let buttons: Vec<Value> =
            row.as_array().ok_or_else(shape)?.iter().map(button).collect::<Result<_, _>>()?;
        if !buttons.is_empty() {
            shown.push(Value::from(buttons));
        }
    }
    Ok((!shown.is_empty()).then(|| serde_json::json!({"inline_keyboard": shown})))
}

fn button(button: &Value) -> Result<Value, ApiError> {
    let wrong = |what: &str| ApiError::bad_request(format!("can't parse inline keyboard button: {what}"));
    let button = button.as_object().ok_or_else(|| wrong("InlineKeyboardButton must be an Object"))?;
    let text =
        button.get("text").and_then(Value::as_str).ok_or_else(|| wrong("can't find field \"text\""))?;
    let action = ACTIONS
        .iter()
        .find_map(|action| Some((*action, button.get(*action).filter(|value| value.as_str() != Some(""))?)));
    let Some((action, value)) = action else {
        return Err(wrong("Text buttons are unallowed in the inline keyboard"));
    };
    let mut shown = Map::new();
    shown.insert("text".into(), text.into());
    shown.insert(action.into(), value.clone());
    Ok(shown.into())
}

/// Checks the rules that Telegram applies only when it sends the message.
pub(super) fn check(markup: Option<&Value>) -> Result<(), ApiError> {
    let rows = markup.and_then(|markup| markup["inline_keyboard"].as_array()).into_iter().flatten();
    let mut count = 0;
    for button in rows.filter_map(Value::as_array).flatten() {
        count += 1;
        if button["text"].as_str().is_none_or(|text| text.trim().is_empty()) {
            return Err(ApiError::bad_request("BUTTON_TEXT_INVALID"));
        }
        if button["callback_data"].as_str().is_some_and(|data| data.len() > DATA) {
            return Err(ApiError::bad_request("BUTTON_DATA_INVALID"));
        }
        if let Some(url) = button["url"].as_str()
            && !url.contains('.')
            && !url.starts_with("tg:")
        {
            return Err(ApiError::bad_request(format!(
                "inline keyboard button URL '{url}' is invalid: Wrong HTTP URL"
            )));
        }
    }
    if count > BUTTONS {
        return Err(ApiError::bad_request("reply markup is too long"));
    }
    Ok(())
}
