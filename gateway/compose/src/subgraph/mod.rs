//! A subgraph once read: its schema with every directive's role known and the plumbing between gateway
//! and subgraph removed, valid as GraphQL and as a federation subgraph by itself.

mod field_sets;
mod normalise;
mod rules;
mod table;
mod usage;

use crate::errors::Fault;
use crate::graphql;
use crate::links::{self, Links};
use crate::model::{Name, Schema};
use crate::parse;
pub(crate) use field_sets::{FieldSets, fields_argument, visit_fields};
pub(crate) use normalise::each_directive;
pub(crate) use rules::is_authorization;
pub(crate) use table::FieldTable;
pub(crate) use usage::Usage;

/// One subgraph, ready for merging.
#[derive(Clone, Debug)]
pub(crate) struct Subgraph {
    pub name: String,
    pub url: String,
    /// Value of `join__Graph` that stands for it.
    pub graph: Name,
    pub links: Links,
    pub schema: Schema,
    pub sets: FieldSets,
    pub usage: Usage,
}

impl Subgraph {
    /// Reads and checks one subgraph. Faults of GraphQL hide those of federation, which would follow from
    /// them.
    pub(crate) fn read(name: &str, url: &str, sdl: &str, graph: Name) -> Result<Subgraph, Vec<Fault>> {
        let mut schema = parse::parse_schema(sdl)?;
        let links = links::resolve(&schema)?;
        normalise::assign_roles(&mut schema, &links);
        normalise::remove_service_fields(&mut schema);
        let faults = graphql::check(&schema, &links);
        if !faults.is_empty() {
            return Err(faults);
        }
        normalise::remove_plumbing(&mut schema, &links);
        normalise::name_roots(&mut schema)?;
        normalise::add_query(&mut schema);
        if links.is_federation_1() {
            normalise::read_federation_1_field_sets(&mut schema);
        }
        let sets = FieldSets::parse(&schema);
        let usage = Usage::of(&schema, &sets);
        let faults = rules::check(&schema, &links, &usage);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Subgraph { name: name.into(), url: url.into(), graph, links, schema, sets, usage })
    }

    /// Brings what is derived from the schema up to date after a change.
    pub(crate) fn refresh(&mut self) {
        self.sets = FieldSets::parse(&self.schema);
        self.usage = Usage::of(&self.schema, &self.sets);
    }
}
