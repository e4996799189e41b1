// Colours for code. Each language is one regular expression that moves forward through the text; what it does not
// know stays as it is.

import { make } from '/dom.js';

/** Longer code is shown without colours, in characters. */
const LIMIT = 50_000;
/** So many words of one message have a colour: each is a node of its own. */
const MOST = 5000;

let left = 0;

/** To be called before the code of a message. */
export function beginMessage() {
  left = MOST;
}

const words = (text) => new Set(text.split(' '));

const C_WORDS = words('abstract as async await bool boolean break byte case catch char class const constexpr continue '
  + 'crate debugger def default defer delete do double dyn else enum export extends extern false final finally float fn '
  + 'for foreach from func function go goto if impl implements import in include inline instanceof int interface is let '
  + 'long loop map match mod module move mut namespace new nil null nullptr of operator override package private '
  + 'protected pub public range readonly ref return select self short signed sizeof static string struct super switch '
  + 'template this throw throws trait true try type typedef typeof undefined union unsafe unsigned use using val var '
  + 'virtual void volatile when where while with yield');
const SCRIPT_WORDS = words('and as assert async await begin break case class continue def del do done elif else elsif end '
  + 'ensure esac except exec export false fi finally for from function global if import in is lambda local module nil '
  + 'none None nonlocal not null or pass raise require rescue return self set source then true True False try unless '
  + 'until unset when while with yield');
const SQL_WORDS = words('add all alter and any as asc begin between by case cascade check column commit concurrently '
  + 'constraint create cross database default delete desc distinct drop else end exists explain false for foreign '
  + 'from full function grant group having if in index inner insert intersect into is join key left like limit not null on or '
  + 'order outer over partition primary references returning right rollback select set table then true union unique '
  + 'update using values view when where with');
const DATA_WORDS = words('true false null yes no on off');

const DOUBLE = String.raw`"(?:[^"\\\n]|\\.)*"?`;
const SINGLE = String.raw`'(?:[^'\\\n]|\\.)*'?`;
const TICKS = '`(?:[^`\\\\]|\\\\[^])*`?';
const NUMBER = String.raw`(?<number>\b(?:0[xob][\da-f_]+|\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?)\b)`;
const WORD = String.raw`(?<word>[\p{L}_$][\p{L}\d_$]*)`;
const SLASHES = String.raw`(?<comment>\/\/[^\n]*|\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?)`;
const HASH = String.raw`(?<comment>(?<![\w$])#[^\n]*)`;

function family(parts, known, flags = '') {
  return { pattern: new RegExp(parts.join('|'), `gu${flags}`), known };
}

const C = family([SLASHES, `(?<string>${DOUBLE}|${SINGLE}|${TICKS})`, NUMBER, WORD], C_WORDS);
// A quote before a lifetime opens no text.
const RUST = family([SLASHES, String.raw`(?<string>${DOUBLE}|'(?:\\[^']{1,10}|[^'\\\n])')`, NUMBER, WORD], C_WORDS);
const SCRIPT = family([
  HASH, String.raw`(?<string>"""(?:[^"]|"(?!""))*(?:""")?|'''(?:[^']|'(?!''))*(?:''')?|${DOUBLE}|${SINGLE})`, NUMBER, WORD,
], SCRIPT_WORDS);
const SQL = family([String.raw`(?<comment>--[^\n]*|\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?)`, `(?<string>${SINGLE})`, NUMBER, WORD], SQL_WORDS, 'i');
const DATA = family([HASH, String.raw`(?<keyword>"(?:[^"\\\n]|\\.)*"(?=\s*:)|^[ \t]*(?:- +)?[\w.-]+(?=[ \t]*[:=])|^\[[^\]\n]*\])`,
  `(?<string>${DOUBLE}|${SINGLE})`, NUMBER, WORD], DATA_WORDS, 'm');
const MARKUP = family([String.raw`(?<comment><!--(?:[^-]|-(?!->))*(?:-->)?)`, String.raw`(?<keyword><\/?[\w:-]+|\/?>)`,
  `(?<string>${DOUBLE}|'[^'\n<>]*')`], new Set());
const STYLES = family([String.raw`(?<comment>\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?)`, `(?<string>${DOUBLE}|${SINGLE})`,
  String.raw`(?<keyword>@[\w-]+|--[\w-]+|(?<![\w-])[\w-]+(?=\s*:\s))`, String.raw`(?<number>#[\da-f]{3,8}\b|\b\d[\d.]*(?:%|\w*))`], new Set(), 'i');
const DIFF = family([String.raw`(?<comment>^(?:@@|diff |index |---|\+\+\+)[^\n]*)`, String.raw`(?<added>^\+[^\n]*)`,
  String.raw`(?<removed>^-[^\n]*)`], new Set(), 'm');

const FAMILIES = [
  [C, 'c cc cpp cs csharp c++ dart go golang groovy h hpp java javascript js jsx kotlin kt mjs php proto scala swift ts tsx typescript zig'],
  [RUST, 'rust rs wit'],
  [SCRIPT, 'awk bash console dockerfile elixir fish make makefile nix perl pl powershell ps1 py python r rb ruby sh shell zsh'],
  [SQL, 'mysql postgres postgresql psql sql sqlite'],
  [DATA, 'conf env ini json json5 jsonc properties toml yaml yml'],
  [MARKUP, 'html svg vue xml'],
  [STYLES, 'css less scss'],
  [DIFF, 'diff patch'],
];
const BY_NAME = new Map(FAMILIES.flatMap(([kind, names]) => names.split(' ').map((name) => [name, kind])));

/** The nodes of a piece of code. */
export function colour(code, language) {
  const kind = BY_NAME.get(language.toLowerCase());
  if (!kind || code.length > LIMIT) return [code];
  const nodes = [];
  let done = 0;
  for (const match of code.matchAll(kind.pattern)) {
    const token = tokenOf(match.groups, kind);
    if (!token) continue;
    if (left === 0) break;
    left -= 1;
    nodes.push(code.slice(done, match.index), make('span', `token-${token}`, match[0]));
    done = match.index + match[0].length;
  }
  nodes.push(code.slice(done));
  return nodes;
}

function tokenOf(groups, { pattern, known }) {
  const name = Object.keys(groups).find((each) => groups[each] !== undefined);
  if (name !== 'word') return name;
  const word = pattern.ignoreCase ? groups.word.toLowerCase() : groups.word;
  return known.has(word) ? 'keyword' : null;
}
