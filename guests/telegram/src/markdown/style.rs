//! The style of a part of the text: exactly the formats that Telegram can nest.

/// The number of a quote, a link or a code block: it distinguishes two adjacent ones.
pub(super) type Id = usize;

/// The style of a part of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) quote: Option<Id>,
    pub(super) kind: Kind,
}

/// The kind of text. Code has no other format, and is not a link:
/// <https://core.telegram.org/bots/api#formatting-options>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text(Face),
    Code,
    Block(Id),
}

/// The formats that a text may combine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Face {
    pub(super) link: Option<Id>,
    pub(super) bold: bool,
    pub(super) italic: bool,
    pub(super) struck: bool,
}

/// One tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Quote(Id),
    Link(Id),
    Code,
    Block(Id),
    Bold,
    Italic,
    Struck,
}

/// The tags around a part, from the outermost to the innermost.
pub(super) type Marks = [Option<Mark>; 5];

impl Default for Kind {
    fn default() -> Self {
        Self::Text(Face::default())
    }
}

impl Style {
    pub(super) fn marks(self) -> Marks {
        let quote = self.quote.map(Mark::Quote);
        match self.kind {
            Kind::Code => [quote, Some(Mark::Code), None, None, None],
            Kind::Block(block) => [quote, Some(Mark::Block(block)), None, None, None],
            Kind::Text(face) => [
                quote,
                face.link.map(Mark::Link),
                face.bold.then_some(Mark::Bold),
                face.italic.then_some(Mark::Italic),
                face.struck.then_some(Mark::Struck),
            ],
        }
    }

    /// Returns the style of the white space between two parts: the formats that both have.
    pub(super) fn between(self, next: Self) -> Self {
        let face = match (self.kind, next.kind) {
            (Kind::Text(this), Kind::Text(next)) => Face {
                link: this.link.filter(|link| Some(*link) == next.link),
                bold: this.bold && next.bold,
                italic: this.italic && next.italic,
                struck: this.struck && next.struck,
            },
            _ => Face::default(),
        };
        Self { quote: self.quote.filter(|quote| Some(*quote) == next.quote), kind: Kind::Text(face) }
    }
}
