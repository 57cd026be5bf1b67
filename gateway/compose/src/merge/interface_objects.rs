//! Fields that an `@interfaceObject` adds to an interface are fields of every type implementing it.

use super::{Merger, Sources};
use crate::model::{Directive, Directives, Field, Kind, Name, Role};

impl<'a> Merger<'a> {
    pub(super) fn add_interface_object_fields(&mut self) {
        let mut additions: Vec<(Name, Field)> = Vec::new();
        for ty in self.supergraph.types.values().filter(|t| t.kind == Kind::Object) {
            for interface in ty.interfaces.iter().filter(|i| self.relations.is_interface_object(i)) {
                let Some(interface) = self.supergraph.types.get(interface) else { continue };
                for field in interface.fields.values().filter(|f| !ty.fields.contains_key(&f.name)) {
                    let sources = self.interface_object_fields(&interface.name, &field.name);
                    let added = additions.iter().any(|(t, f)| *t == ty.name && f.name == field.name);
                    if added || sources.is_empty() {
                        continue;
                    }
                    let mut directives = vec![Directive::new("join__field", Vec::new())];
                    self.merge_applied(&sources, &mut directives);
                    additions.push((ty.name.clone(), Field { directives, ..field.clone() }));
                }
            }
        }
        for (ty, field) in additions {
            if let Some(ty) = self.supergraph.types.get_mut(&ty) {
                ty.fields.insert(field.name.clone(), field);
            }
        }
    }

    /// The field as the subgraphs with the interface object define it.
    pub(super) fn interface_object_fields(&self, interface: &str, field: &str) -> Sources<'a, Field> {
        Sources::of(self.subgraphs, |s| {
            let ty = s.schema.types.get(interface).filter(|t| t.has(Role::InterfaceObject));
            ty.and_then(|t| t.fields.get(field))
        })
    }
}
