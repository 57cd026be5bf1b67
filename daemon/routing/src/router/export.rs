//! What a peer is told of a route: which pass, and how they look from outside.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::attributes::{Attributes, DEFAULT_LOCAL_PREFERENCE, NextHop, Reflection};
use crate::decision::Nearness;
use crate::message::Role;
use crate::path::Hop;
use crate::policy::{AppliedRules, Candidate, Policy, Verdict};
use crate::rib::{Net, PathEntry, Scope, Source, SourceId};
use crate::router::config::{Mesh, NodeConfig};
use crate::service::Service;
use crate::table::TableKind;
use crate::tag::{MAX_TAGS, Tag};

/// Why a peer is not told of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportRefusal {
    /// There is no usable path.
    NoPath,
    /// The peer announced it itself (split horizon).
    SplitHorizon,
    /// It is tagged `no-advertise`.
    NoAdvertise,
    /// It is tagged `no-export`, and the peer is external.
    NoExport,
    /// It was learned from another node that is no client, and neither is the peer (RFC 4456 §6).
    NotReflected,
    /// The peer is external and has no export policy (RFC 8212).
    NoExportPolicy,
    /// The export policy rejects it; which rule, counted from 0.
    DeniedByRule(u16),
    /// No rule of the export policy accepts it.
    DeniedByDefault,
    /// It came from a provider or a peer, and the peer is no customer (RFC 9234).
    RouteLeak,
    /// Its path, or its cluster list, would become too long.
    TooLong,
}

impl std::fmt::Display for ExportRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoPath => "there is no usable path",
            Self::SplitHorizon => "the peer announced it itself",
            Self::NoAdvertise => "it is tagged no-advertise",
            Self::NoExport => "it is tagged no-export",
            Self::NotReflected => "neither its announcer nor the peer is a client of this reflector",
            Self::NoExportPolicy => "the external peer has no export policy",
            Self::DeniedByRule(rule) => return write!(f, "export policy, rule {rule}"),
            Self::DeniedByDefault => "no rule of the export policy accepts it",
            Self::RouteLeak => "it came from a provider or a peer, and this peer is no customer",
            Self::TooLong => "its path would become too long",
        })
    }
}

/// What peers that are told the same have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Audience {
    /// None for peers of other organisations.
    pub mesh: Option<Mesh>,
    pub export: Option<Arc<Policy>>,
    pub next_hop: NextHop,
    pub max_paths: u8,
    /// This side's role.
    pub role: Option<Role>,
    /// This node is about to go.
    pub draining: bool,
}

impl Audience {
    /// Which changes it must be told of.
    pub(super) const fn scope(&self) -> Scope {
        if self.max_paths == 1 { Scope::Best } else { Scope::Usable }
    }
}

/// Tells an audience of routes.
pub(super) struct Exporter<'a> {
    pub node: &'a NodeConfig,
    pub audience: &'a Audience,
    /// By source.
    pub sources: &'a [Source],
    /// By source.
    pub meshes: &'a [Option<Mesh>],
}

/// What of a path's source matters to how it is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Way {
    reflected: bool,
    from_outside: bool,
}

/// What exported attributes are made from.
type Made = (*const Attributes, Way, AppliedRules);

/// Exported attributes by what they were made from. For one message only: the addresses are valid as long as the table is
/// not changed.
#[derive(Default)]
pub(super) struct Cache {
    made: HashMap<Made, Result<Arc<Attributes>, ExportRefusal>, Hasher>,
}

/// Addresses are spread well enough by a multiplication; nobody outside chooses them.
#[derive(Default, Clone)]
struct Hasher;

impl BuildHasher for Hasher {
    type Hasher = Folded;
    fn build_hasher(&self) -> Folded {
        Folded(0)
    }
}

struct Folded(u64);

impl std::hash::Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}

/// What an audience is told of a service.
pub(super) struct Selected {
    /// The paths, the best first; never empty.
    pub paths: SmallVec<[Arc<Attributes>; 2]>,
    /// Where they were learned.
    pub sources: SmallVec<[SourceId; 2]>,
}

impl Exporter<'_> {
    /// What the audience is told of a service; or `only` one peer of it, which is not told of its own paths.
    pub(super) fn select(
        &self,
        table: TableKind,
        net: &Net,
        only: Option<SourceId>,
        cache: &mut Cache,
    ) -> Result<Selected, ExportRefusal> {
        let max_paths = usize::from(self.audience.max_paths);
        let considered = match self.audience.scope() {
            // The best is told or none: the others are not what this node itself uses.
            Scope::Best => 1,
            Scope::Usable => usize::MAX,
        };
        let mut selected = Selected { paths: SmallVec::new(), sources: SmallVec::new() };
        let mut refusal = ExportRefusal::NoPath;
        for path in net.usable().take(considered) {
            if selected.paths.len() == max_paths {
                break;
            }
            if Some(path.source) == only {
                refusal = ExportRefusal::SplitHorizon;
                continue;
            }
            match self.export(table, net.service(), path, cache) {
                Ok(exported) => {
                    selected.paths.push(exported);
                    selected.sources.push(path.source);
                }
                Err(refused) => refusal = refused,
            }
        }
        if selected.paths.is_empty() { Err(refusal) } else { Ok(selected) }
    }

    /// The attributes with which the audience is told of `path`.
    fn export(
        &self,
        table: TableKind,
        service: &Service,
        path: &PathEntry,
        cache: &mut Cache,
    ) -> Result<Arc<Attributes>, ExportRefusal> {
        let way = self.way(path)?;
        let rules = self.rules(table, service, &path.imported)?;
        let key = (Arc::as_ptr(&path.imported), way, rules);
        if let Some(made) = cache.made.get(&key) {
            return made.clone();
        }
        let made = self.make(&path.imported, way, &key.2).map(Arc::new);
        cache.made.insert(key, made.clone());
        made
    }

    /// RFC 4456 §6: between two nodes of a mesh only a reflector passes routes on.
    fn way(&self, path: &PathEntry) -> Result<Way, ExportRefusal> {
        let from = self.meshes[path.source.0 as usize];
        let reflected = match (from, self.audience.mesh) {
            (Some(Mesh::NonClient), Some(Mesh::NonClient)) => return Err(ExportRefusal::NotReflected),
            (Some(Mesh::Client), Some(Mesh::Client | Mesh::NonClient))
            | (Some(Mesh::NonClient), Some(Mesh::Client)) => true,
            (None | Some(Mesh::Transit), _) | (_, None | Some(Mesh::Transit)) => false,
        };
        let from_outside = self.sources[path.source.0 as usize].nearness == Nearness::External;
        Ok(Way { reflected, from_outside })
    }

    fn rules(
        &self,
        table: TableKind,
        service: &Service,
        attributes: &Attributes,
    ) -> Result<AppliedRules, ExportRefusal> {
        match &self.audience.export {
            Some(policy) => match policy.evaluate(&Candidate { service, attributes, table }) {
                Verdict::Accept(rules) => Ok(rules),
                Verdict::Reject { rule: Some(rule) } => Err(ExportRefusal::DeniedByRule(rule)),
                Verdict::Reject { rule: None } => Err(ExportRefusal::DeniedByDefault),
            },
            None if self.audience.mesh.is_some() => Ok(AppliedRules::new()),
            None => Err(ExportRefusal::NoExportPolicy),
        }
    }

    fn make(&self, attributes: &Attributes, way: Way, rules: &[u16]) -> Result<Attributes, ExportRefusal> {
        if attributes.tags.contains(Tag::NO_ADVERTISE) {
            return Err(ExportRefusal::NoAdvertise);
        }
        let external = self.audience.mesh.is_none();
        if external && attributes.tags.contains(Tag::NO_EXPORT) {
            return Err(ExportRefusal::NoExport);
        }
        let mut made = attributes.clone();
        let me = if external {
            Hop::org(self.node.id.org.clone())
        } else {
            Hop::node(self.node.id.org.clone(), self.node.id.node.clone())
        };
        if external {
            self.hide_inside(&mut made, way);
            self.mark_leaks(&mut made)?;
        }
        if way.reflected {
            // RFC 4456 §10: a reflector that changes what it reflects may make forwarding loops.
            self.reflect(&mut made)?;
        } else {
            if let Some(policy) = &self.audience.export {
                policy.apply(rules, &mut made, &me).map_err(|e| ExportRefusal::DeniedByRule(e.rule()))?;
            }
            made.next_hop = self.audience.next_hop.clone();
            made.path = made.path.prepended(&me, 1).map_err(|_| ExportRefusal::TooLong)?;
            made.reflection = None;
        }
        if self.audience.draining {
            say_goodbye(&mut made);
        }
        Ok(made)
    }

    /// What is this organisation's own business stays inside. A neighbour's MED was meant for this organisation and goes
    /// no further (RFC 4271 §5.1.4).
    fn hide_inside(&self, made: &mut Attributes, way: Way) {
        made.path = made.path.without_leading(&self.node.id.org);
        made.origin.node = None;
        made.local_preference = DEFAULT_LOCAL_PREFERENCE;
        if way.from_outside || made.origin.org != self.node.id.org {
            made.med = 0;
        }
    }

    /// RFC 9234 §5, on the way out.
    fn mark_leaks(&self, made: &mut Attributes) -> Result<(), ExportRefusal> {
        let to_customer = match self.audience.role {
            None => return Ok(()),
            Some(Role::Provider) => true,
            Some(Role::Customer | Role::Peer) => false,
        };
        if made.only_to_customer.is_some() && !to_customer {
            return Err(ExportRefusal::RouteLeak);
        }
        if self.audience.role != Some(Role::Customer) && made.only_to_customer.is_none() {
            made.only_to_customer = Some(self.node.id.org.clone());
        }
        Ok(())
    }

    /// RFC 4456 §8: next hop and path stay as they are; the originator and this cluster are noted.
    fn reflect(&self, made: &mut Attributes) -> Result<(), ExportRefusal> {
        let reflection = match made.reflection.take() {
            Some(reflection) => reflection,
            None => {
                let first = made.path.first().and_then(|hop| hop.node.clone());
                let originator = first.unwrap_or_else(|| self.node.id.node.clone());
                Reflection::new(originator, vec![]).expect("an empty list is short")
            }
        };
        made.reflection = Some(reflection.through(&self.node.cluster).map_err(|_| ExportRefusal::TooLong)?);
        Ok(())
    }
}

/// RFC 8326 §4.2. The signal is worth more than any other tag: if there is no room, another one gives way.
fn say_goodbye(made: &mut Attributes) {
    let Ok(tag) = Tag::new(Tag::GRACEFUL_SHUTDOWN) else { return };
    if made.tags.len() == MAX_TAGS
        && !made.tags.contains(Tag::GRACEFUL_SHUTDOWN)
        && let Some(last) = made.tags.iter().last().cloned()
    {
        made.tags.remove(&last);
    }
    // There is room now, so the tag is in.
    made.tags.insert(tag).expect("one of 32 tags was removed");
}
