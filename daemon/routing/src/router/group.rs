//! Update groups: peers that are told the same share the work and the messages.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::message::Outgoing;
use crate::rib::bitset::BitSet;
use crate::rib::{Rib, Scope};
use crate::router::export::Audience;

/// How many messages a group keeps for its slower peers. A peer that is further behind has its messages made anew.
const MAX_CHUNKS: usize = 32;

/// A group's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupId(usize);

/// How far a peer is in one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cursor {
    /// It is being told everything, net by net; from the journal it needs what comes after `joined`.
    Dump { next: u32, joined: u64 },
    /// It has been told everything up to this version.
    Log(u64),
}

impl Cursor {
    /// The same, but a dump that has not begun needs of the journal only what comes after `version`.
    pub(super) const fn rejoined(self, version: u64) -> Self {
        match self {
            Self::Dump { next: 0, .. } => Self::Dump { next: 0, joined: version },
            Self::Dump { .. } | Self::Log(_) => self,
        }
    }

    /// Up to here the journal is not needed any more.
    pub(super) const fn version(self) -> u64 {
        match self {
            Self::Dump { joined, .. } => joined,
            Self::Log(version) => version,
        }
    }
}

/// A stretch of a table, as the group's peers are told of it.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub from: Cursor,
    pub to: Cursor,
    /// The table's version when the message was made.
    pub made_at: u64,
    /// None if there is nothing to tell.
    pub message: Option<Arc<Outgoing>>,
    /// The peers whose own routes the message tells of: they must be told something else (split horizon).
    pub sources: BitSet,
}

/// What a group has said of one table.
#[derive(Debug, Default)]
pub(super) struct GroupTable {
    /// The nets that a peer of the group may have been told of: their end has to be told too, and that of others must
    /// not be, for it would give their names away.
    pub advertised: BitSet,
    /// Nets that the group has been told the end of, though they still exist, by the version of that change. Once every
    /// peer has read it, they are as if never told of.
    pub ended: VecDeque<(u64, u32)>,
    chunks: VecDeque<Chunk>,
}

impl GroupTable {
    /// The stretch from `from` on, if it was made already and holds all that its reader needs: a dump must not be older
    /// than the point from which its reader goes on with the journal.
    pub(super) fn chunk(&self, from: Cursor) -> Option<&Chunk> {
        self.chunks.iter().find(|c| match (c.from, from) {
            (Cursor::Dump { next: a, .. }, Cursor::Dump { next: b, joined }) => a == b && c.made_at >= joined,
            (Cursor::Log(a), Cursor::Log(b)) => a == b,
            (Cursor::Dump { .. }, Cursor::Log(_)) | (Cursor::Log(_), Cursor::Dump { .. }) => false,
        })
    }

    pub(super) fn keep(&mut self, chunk: Chunk) {
        if self.chunks.len() == MAX_CHUNKS {
            self.chunks.pop_front();
        }
        self.chunks.push_back(chunk);
    }

    /// Every peer of the group has read up to `version`: the messages before are not needed any more, and services
    /// whose end was told before are as if never told of.
    pub(super) fn read_up_to<T>(&mut self, version: u64, rib: &Rib<T>, scope: Scope) {
        let unchanged = |ended, net| rib.net(net).last_change(scope) == ended;
        self.chunks.retain(|c| match c.from {
            Cursor::Dump { .. } => c.made_at >= version,
            Cursor::Log(from) => from >= version,
        });
        while let Some(&(ended, net)) = self.ended.front().filter(|e| e.0 <= version) {
            self.ended.pop_front();
            if unchanged(ended, net) {
                self.advertised.remove(net);
            }
        }
        // A slow peer keeps the list from being worked off. Then entries that later changes made void are dropped.
        if self.ended.len() > 2 * rib.slots() as usize + 1024 {
            self.ended.retain(|&(ended, net)| unchanged(ended, net));
        }
    }
}

/// Peers of one audience.
#[derive(Debug)]
pub(super) struct Group {
    pub audience: Audience,
    pub members: u32,
    pub internal: GroupTable,
    pub external: GroupTable,
}

/// All groups that have members.
#[derive(Debug, Default)]
pub(super) struct Groups {
    slots: Vec<Option<Group>>,
}

impl Groups {
    /// The group of `audience`, with one member more.
    pub(super) fn join(&mut self, audience: Audience) -> GroupId {
        let same = |g: &Option<Group>| g.as_ref().is_some_and(|g| g.audience == audience);
        if let Some(place) = self.slots.iter().position(same) {
            if let Some(group) = &mut self.slots[place] {
                group.members += 1;
            }
            return GroupId(place);
        }
        let (internal, external) = (GroupTable::default(), GroupTable::default());
        let group = Some(Group { audience, members: 1, internal, external });
        match self.slots.iter().position(Option::is_none) {
            Some(place) => {
                self.slots[place] = group;
                GroupId(place)
            }
            None => {
                self.slots.push(group);
                GroupId(self.slots.len() - 1)
            }
        }
    }

    /// A member leaves; the last one takes the group with it.
    pub(super) fn leave(&mut self, id: GroupId) {
        let slot = &mut self.slots[id.0];
        if let Some(group) = slot {
            group.members -= 1;
            if group.members == 0 {
                *slot = None;
            }
        }
    }

    pub(super) fn get(&self, id: GroupId) -> &Group {
        self.slots[id.0].as_ref().expect("a member keeps its group")
    }

    pub(super) fn get_mut(&mut self, id: GroupId) -> &mut Group {
        self.slots[id.0].as_mut().expect("a member keeps its group")
    }

    /// Net `net` is gone, and its number may be used again.
    pub(super) fn forget(&mut self, net: u32, table: impl Fn(&mut Group) -> &mut GroupTable) {
        for group in self.slots.iter_mut().flatten() {
            table(group).advertised.remove(net);
        }
    }

    /// All groups and their numbers.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (GroupId, &mut Group)> {
        self.slots.iter_mut().enumerate().filter_map(|(i, g)| Some((GroupId(i), g.as_mut()?)))
    }
}
