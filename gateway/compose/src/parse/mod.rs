//! SDL text to [`Schema`], and field-set text to [`Selection`]s. Syntax only: what a document means is
//! judged elsewhere, except that a name defined twice is reported here, since the model cannot hold it.

mod definition;
mod selection;
mod value;

use apollo_parser::Parser;
use apollo_parser::cst::{self, CstNode};

use crate::errors::Fault;
use crate::model::{Block, Name, Pos, Schema};
pub(crate) use selection::{Selection, parse_selection, print as print_selection};

/// Nesting a document may have (lists in values, list types); deeper ones are refused as invalid.
const MAX_NESTING: usize = 64;
/// Tokens a document may have; longer ones are refused as invalid.
const MAX_TOKENS: usize = 4_000_000;

/// Parses one document. The faults of a document come all at once.
pub(crate) fn parse_schema(sdl: &str) -> Result<Schema, Vec<Fault>> {
    let tree = Parser::new(sdl).recursion_limit(MAX_NESTING).token_limit(MAX_TOKENS).parse();
    let faults: Vec<Fault> = tree
        .errors()
        .map(|e| Fault::graphql(format!("syntax error: {}", e.message()), offset(e.index())))
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut reader = Reader::default();
    for definition in tree.document().definitions() {
        reader.definition(definition);
    }
    if reader.faults.is_empty() { Ok(reader.schema) } else { Err(reader.faults) }
}

#[derive(Default)]
pub(crate) struct Reader {
    schema: Schema,
    faults: Vec<Fault>,
    extensions: u32,
}

impl Reader {
    fn next_extension(&mut self) -> Block {
        self.extensions += 1;
        Block(self.extensions)
    }

    fn fault(&mut self, message: String, pos: Pos) {
        self.faults.push(Fault::graphql(message, pos));
    }
}

fn text(name: cst::Name) -> Name {
    Name::from(&*name.text())
}

/// The node's own characters, without the white space around it.
fn source(node: &impl CstNode) -> Name {
    node.syntax().text().to_string().trim().into()
}

fn pos(node: &impl CstNode) -> Pos {
    offset(usize::from(node.syntax().text_range().start()))
}

fn offset(byte: usize) -> Pos {
    Pos(u32::try_from(byte).unwrap_or(u32::MAX))
}

/// Line and column, both from 1, of a byte offset.
pub(crate) fn line_and_column(text: &str, pos: Pos) -> (u32, u32) {
    let before = &text.as_bytes()[..text.len().min(pos.0 as usize)];
    let line = before.iter().filter(|b| **b == b'\n').count();
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    (count(line), count(before.len() - start))
}
