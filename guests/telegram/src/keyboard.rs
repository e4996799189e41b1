//! Buttons below a message.

use serde::Serialize;
use tidegate_guest::{Button, ButtonStyle, Fault};

/// The maximum length of a button's action, in bytes: the Bot API's limit of `callback_data`.
const ACTION: usize = 64;
/// The maximum length of a row's labels, for a narrow screen.
const ROW_LENGTH: usize = 28;
const ROW_BUTTONS: usize = 3;

/// `reply_markup`. Without buttons it removes the buttons of a message.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Keyboard<'a> {
    inline_keyboard: Vec<Vec<Key<'a>>>,
}

#[derive(Debug, Serialize)]
struct Key<'a> {
    text: &'a str,
    callback_data: &'a str,
    /// The button's style. Older apps show all buttons alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    style: Option<&'static str>,
}

impl<'a> Keyboard<'a> {
    /// Creates the keyboard. Short buttons share a row.
    pub(crate) fn new(buttons: &'a [Button]) -> Result<Self, Fault> {
        let mut rows: Vec<Vec<Key>> = Vec::new();
        let mut length = 0;
        for button in buttons {
            if button.action.is_empty() || button.action.len() > ACTION || button.label.trim().is_empty() {
                return Err(Fault::Rejected(format!(
                    "a Telegram button has a label and an action of 1 to {ACTION} bytes"
                )));
            }
            let key = Key {
                text: &button.label,
                callback_data: &button.action,
                style: match button.style {
                    ButtonStyle::Neutral => None,
                    ButtonStyle::Positive => Some("success"),
                    ButtonStyle::Negative => Some("danger"),
                },
            };
            let own = button.label.chars().count();
            match rows.last_mut() {
                Some(row) if row.len() < ROW_BUTTONS && length + own <= ROW_LENGTH => {
                    length += own;
                    row.push(key);
                }
                _ => {
                    length = own;
                    rows.push(vec![key]);
                }
            }
        }
        Ok(Self { inline_keyboard: rows })
    }

    /// Returns `None` if there are no buttons.
    pub(crate) fn some(self) -> Option<Self> {
        (!self.inline_keyboard.is_empty()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn button(label: &str, style: ButtonStyle) -> Button {
        Button { action: format!("{label}!"), label: label.to_owned(), style }
    }

    #[test]
    fn buttons_are_spelled_as_telegram_reads_them() {
        let buttons = [
            button("Allow", ButtonStyle::Positive),
            button("Deny", ButtonStyle::Negative),
            button("Details", ButtonStyle::Neutral),
        ];
        assert_eq!(
            serde_json::to_string(&Keyboard::new(&buttons).unwrap()).unwrap(),
            r#"{"inline_keyboard":[[{"text":"Allow","callback_data":"Allow!","style":"success"},{"text":"Deny","callback_data":"Deny!","style":"danger"},{"text":"Details","callback_data":"Details!"}]]}"#
        );
        assert_eq!(serde_json::to_string(&Keyboard::default()).unwrap(), r#"{"inline_keyboard":[]}"#);
    }

    #[test]
    fn a_row_has_what_fits() {
        let long = "x".repeat(20);
        for (labels, rows) in [
            (vec!["a", "b", "c", "d"], vec![3, 1]),
            (vec![&*long, "short"], vec![2]),
            (vec![&*long, &*long, "a"], vec![1, 2]),
            (vec![], vec![]),
        ] {
            let buttons: Vec<_> = labels.iter().map(|label| button(label, ButtonStyle::Neutral)).collect();
            let keyboard = Keyboard::new(&buttons).unwrap();
            assert_eq!(keyboard.inline_keyboard.iter().map(Vec::len).collect::<Vec<_>>(), rows, "{labels:?}");
            assert_eq!(keyboard.some().is_some(), !labels.is_empty());
        }
    }

    #[test]
    fn an_action_that_telegram_would_not_take_is_refused() {
        for (action, label) in [("", "x"), (&*"ä".repeat(33), "x"), ("x", " ")] {
            let button = Button { action: action.into(), label: label.into(), style: ButtonStyle::Neutral };
            assert!(matches!(Keyboard::new(&[button]), Err(Fault::Rejected(_))), "{action}");
        }
        let longest = Button { action: "ä".repeat(32), ..button("x", ButtonStyle::Neutral) };
        assert!(Keyboard::new(&[longest]).is_ok());
    }
}
