//! Times composition of made-up supergraphs: `speed [SUBGRAPHS] [ROUNDS]`, built with `--release`.
//!
//! Each subgraph owns ten entities and forty other types, extends ten entities of its neighbours, shares
//! value types and enums with all, and requires fields of others.

use std::fmt::Write;
use std::time::Instant;

use catalyst_compose::{Subgraph, compose};

const ENTITIES: usize = 10;
const OTHERS: usize = 40;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(Ok(50), |a| a.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(11), |a| a.parse())?;
    let subgraphs: Vec<Subgraph> = (0..count).map(|i| subgraph(i, count)).collect::<Result<_, _>>()?;
    let bytes: usize = subgraphs.iter().map(|s| s.sdl.len()).sum();
    let mut times = Vec::new();
    let mut size = 0;
    for _ in 0..rounds {
        let start = Instant::now();
        match compose(&subgraphs) {
            Ok(supergraph) => size = supergraph.sdl.len(),
            Err(errors) => anyhow::bail!("{}", errors[0]),
        }
        times.push(start.elapsed());
    }
    times.sort_unstable();
    println!(
        "{count} subgraphs, {bytes} bytes of SDL, supergraph of {size} bytes: median {:.1?}, worst {:.1?} of {rounds}",
        times[rounds / 2],
        times[rounds - 1]
    );
    Ok(())
}

fn subgraph(index: usize, count: usize) -> Result<Subgraph, std::fmt::Error> {
    let mut sdl = String::from(
        "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.3\", \
         import: [\"@key\", \"@shareable\", \"@external\", \"@requires\"])\n",
    );
    writeln!(
        sdl,
        "type Query {{ root{index}: [E{index}x0!]! find{index}(id: ID!, filter: Filter{index}): Any{index} }}"
    )?;
    writeln!(sdl, "input Filter{index} {{ text: String = \"x\" limit: Int! kind: Kind }}")?;
    writeln!(sdl, "enum Kind {{ A B C }}\ntype Page @shareable {{ cursor: String more: Boolean! }}")?;
    writeln!(sdl, "interface Node{index} {{ id: ID! }}")?;
    let members: Vec<String> = (0..ENTITIES).map(|e| format!("E{index}x{e}")).collect();
    writeln!(sdl, "union Any{index} = {}", members.join(" | "))?;
    for e in 0..ENTITIES {
        let next = (e + 1) % ENTITIES;
        writeln!(
            sdl,
            "type E{index}x{e} implements Node{index} @key(fields: \"id\") @key(fields: \"sku {{ code }}\") {{ \
             id: ID! sku: Sku{index}! name: String kind: Kind next: E{index}x{next} other: O{index}x{e} page: Page }}"
        )?;
        let neighbour = (index + 1 + e) % count;
        if neighbour != index {
            writeln!(
                sdl,
                "type E{neighbour}x{e} @key(fields: \"id\") {{ id: ID! name: String @external \
                 from{index}: E{index}x{e} label{index}: String @requires(fields: \"name\") }}"
            )?;
        }
    }
    writeln!(sdl, "type Sku{index} @shareable {{ code: String! }}")?;
    for o in 0..OTHERS {
        let next = (o + 1) % OTHERS;
        writeln!(
            sdl,
            "\"Other {o}\" type O{index}x{o} {{ a(first: Int = 10): String b: [Int!] c: O{index}x{next} d: Float e: ID }}"
        )?;
    }
    Ok(Subgraph { name: format!("service{index}"), url: format!("http://service{index}"), sdl })
}
