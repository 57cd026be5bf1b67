//! One case per feature.

use catalyst_compose::Subgraph;

use super::{composed, flat, v1, v2};

/// The supergraph holds each of `expected`, and nothing in `absent`; layout aside.
fn check_both(subgraphs: &[Subgraph], expected: &[&str], absent: &[&str]) {
    let sdl = composed(subgraphs).sdl;
    let found = flat(&sdl);
    for text in expected {
        assert!(found.contains(&flat(text)), "`{text}` is not in\n{sdl}");
    }
    for text in absent {
        assert!(!found.contains(&flat(text)), "`{text}` is in\n{sdl}");
    }
}

fn check(subgraphs: &[Subgraph], expected: &[&str]) {
    check_both(subgraphs, expected, &[]);
}

const PRODUCTS: &str = r#"
type Query { products: [Product!]! }
type Product @key(fields: "id") { id: ID! name: String price: Int }
"#;

#[test]
fn every_subgraph_is_a_join_graph_with_its_url() {
    check(
        &[v2("my-products.v1", PRODUCTS)],
        &[
            r#"enum join__Graph { MY_PRODUCTS_V1 @join__graph(name: "my-products.v1", url: "http://my-products.v1") }"#,
        ],
    );
}

#[test]
fn root_types_are_joined_to_every_subgraph_under_their_standard_names() {
    let renamed = "schema { query: Root mutation: Change } type Root { a: Int } type Change { set: Root }";
    check(
        &[v2("products", PRODUCTS), v2("other", renamed)],
        &[
            "schema @link(url: \"https://specs.apollo.dev/link/v1.0\")",
            "{ query: Query mutation: Mutation }",
            "type Query @join__type(graph: OTHER) @join__type(graph: PRODUCTS) {",
            "set: Query",
            "a: Int @join__field(graph: OTHER)",
        ],
    );
}

#[test]
fn an_entity_is_joined_by_all_its_keys() {
    let reviews = r#"type Product @key(fields: "id") @key(fields: "sku { code }", resolvable: false) {
        id: ID! sku: Sku! reviews: [String!]! } type Sku { code: String! }"#;
    check(
        &[v2("products", PRODUCTS), v2("reviews", reviews)],
        &[
            r#"type Product @join__type(graph: PRODUCTS, key: "id") @join__type(graph: REVIEWS, key: "id")
               @join__type(graph: REVIEWS, key: "sku { code }", resolvable: false) {"#,
            "id: ID! name: String @join__field(graph: PRODUCTS)",
            "reviews: [String!]! @join__field(graph: REVIEWS)",
        ],
    );
}

#[test]
fn requires_provides_and_external_reach_the_planner() {
    let shipping = r#"type Product @key(fields: "id") { id: ID! price: Int @external
        shipping: Int @requires(fields: "price") name: String @external }
        type Query { cheapest: Product @provides(fields: "name") }"#;
    let products = r#"type Query { products: [Product!]! }
        type Product @key(fields: "id") { id: ID! name: String @shareable price: Int }"#;
    check(
        &[v2("products", products), v2("shipping", shipping)],
        &[
            "price: Int @join__field(graph: PRODUCTS) @join__field(graph: SHIPPING, external: true)",
            "shipping: Int @join__field(graph: SHIPPING, requires: \"price\")",
            "cheapest: Product @join__field(graph: SHIPPING, provides: \"name\")",
        ],
    );
}

#[test]
fn an_override_takes_the_field_from_its_former_subgraph() {
    let prices = r#"type Product @key(fields: "id") { id: ID! price: Int @override(from: "products") }"#;
    check(
        &[v2("products", PRODUCTS), v2("prices", prices)],
        &["price: Int @join__field(graph: PRICES, override: \"products\")"],
    );
}

#[test]
fn an_overridden_field_still_named_by_a_field_set_stays_joined() {
    let products = r#"type Query { products: [Product!]! }
        type Product @key(fields: "id") @key(fields: "sku") { id: ID! sku: String }"#;
    let skus = r#"type Product @key(fields: "id") { id: ID! sku: String @override(from: "products") }"#;
    check(
        &[v2("products", products), v2("skus", skus)],
        &[r#"sku: String @join__field(graph: PRODUCTS, usedOverridden: true)
             @join__field(graph: SKUS, override: "products")"#],
    );
}

#[test]
fn a_labelled_override_keeps_both_subgraphs() {
    let prices = r#"type Product @key(fields: "id") { id: ID! price: Int @override(from: "products", label: "percent(5)") }"#;
    check(
        &[v2("products", PRODUCTS), v2("prices", prices)],
        &[r#"price: Int @join__field(graph: PRICES, override: "products", overrideLabel: "percent(5)")
             @join__field(graph: PRODUCTS, overrideLabel: "percent(5)")"#],
    );
}

#[test]
fn shared_value_types_need_no_join_on_their_fields() {
    let page = "type Page @shareable { cursor: String }";
    check(
        &[
            v2("a", &format!("type Query {{ a: Page }} {page}")),
            v2("b", &format!("type Query {{ b: Page }} {page}")),
        ],
        &["type Page @join__type(graph: A) @join__type(graph: B) { cursor: String }"],
    );
}

#[test]
fn differing_output_types_widen_and_input_types_narrow() {
    let a = "type Query { f(x: Int): Item! @shareable } type Item @shareable { id: ID! tags: [String!]! }";
    let b = "type Query { f(x: Int!): Item @shareable } type Item @shareable { id: ID tags: [String]! }";
    check(
        &[v2("a", a), v2("b", b)],
        &[
            r#"f(x: Int!): Item @join__field(graph: A, type: "Item!") @join__field(graph: B, type: "Item")"#,
            r#"id: ID @join__field(graph: A, type: "ID!") @join__field(graph: B, type: "ID")"#,
            "tags: [String]! @join__field",
        ],
    );
}

#[test]
fn arguments_not_taken_everywhere_are_dropped_and_defaults_kept_where_all_agree() {
    let a = "type Query { f(x: Int = 1, y: Int = 2, only: Int): Int @shareable }";
    let b = "type Query { f(x: Int = 1, y: Int): Int @shareable }";
    check_both(&[v2("a", a), v2("b", b)], &["f(x: Int = 1, y: Int): Int"], &["only"]);
}

#[test]
fn interfaces_merge_and_say_where_they_are_implemented() {
    let a = r#"type Query { n: Node } interface Node { id: ID! }
        type Book implements Node @key(fields: "id") { id: ID! }"#;
    let b = r#"interface Node { id: ID! title: String } type Film implements Node @key(fields: "id") {
        id: ID! title: String } type Book implements Node @key(fields: "id") { id: ID! title: String }"#;
    check(
        &[v2("a", a), v2("b", b)],
        &[
            r#"type Book implements Node @join__implements(graph: A, interface: "Node")
               @join__implements(graph: B, interface: "Node")"#,
            "interface Node @join__type(graph: A) @join__type(graph: B) { id: ID! title: String @join__field(graph: B) }",
        ],
    );
}

#[test]
fn unions_have_all_members_each_with_its_subgraph() {
    let a = "type Query { u: U } union U = X | Y type X @shareable { a: Int } type Y { b: Int }";
    let b = "union U = X | Z type X @shareable { a: Int } type Z { c: Int }";
    check(
        &[v2("a", a), v2("b", b)],
        &[r#"union U @join__type(graph: A) @join__type(graph: B)
             @join__unionMember(graph: A, member: "X") @join__unionMember(graph: A, member: "Y")
             @join__unionMember(graph: B, member: "X") @join__unionMember(graph: B, member: "Z") = X | Y | Z"#],
    );
}

#[test]
fn an_enum_that_only_goes_out_has_every_value() {
    let a = "type Query { a: E } enum E { X }";
    check(
        &[v2("a", a), v2("b", "type Query { b: E } enum E { X Y }")],
        &["X @join__enumValue(graph: A) @join__enumValue(graph: B) Y @join__enumValue(graph: B)"],
    );
}

#[test]
fn an_enum_that_only_comes_in_has_the_values_all_know() {
    let a = "type Query { a(e: E): Int } enum E { X Z }";
    check_both(
        &[v2("a", a), v2("b", "type Query { b(e: E): Int } enum E { X Y }")],
        &["{ X @join__enumValue(graph: A) @join__enumValue(graph: B) }"],
        &["Y @join", "Z @join"],
    );
}

#[test]
fn an_input_has_the_fields_all_know() {
    let a = "type Query { a(i: I): Int } input I { x: Int y: Int }";
    check_both(
        &[v2("a", a), v2("b", "type Query { b(i: I): Int } input I { x: Int! z: Int }")],
        &[r#"x: Int! @join__field(graph: A, type: "Int") @join__field(graph: B, type: "Int!")"#],
        &["y: Int", "z: Int"],
    );
}

#[test]
fn an_interface_object_adds_its_fields_to_every_implementation() {
    let a = r#"type Query { m: Media } interface Media @key(fields: "id") { id: ID! }
        type Book implements Media @key(fields: "id") { id: ID! }"#;
    let b = r#"type Media @key(fields: "id") @interfaceObject { id: ID! reviews: Int @tag(name: "x") }"#;
    check(
        &[v2("a", a), v2("b", b)],
        &[
            r#"interface Media @join__type(graph: A, key: "id") @join__type(graph: B, key: "id", isInterfaceObject: true)"#,
            r#"{ id: ID! reviews: Int @join__field @tag(name: "x") }"#,
        ],
    );
}

#[test]
fn tags_and_guards_reach_the_supergraph_with_their_links() {
    let sdl = r#"type Query { a: Int @tag(name: "x") @tag(name: "y") b: Int @inaccessible
        c: Int @authenticated d: Int @requiresScopes(scopes: [["s"]]) e: Int @policy(policies: [["p"]]) }"#;
    check(
        &[v2("a", sdl)],
        &[
            r#"@link(url: "https://specs.apollo.dev/tag/v0.3")"#,
            r#"@link(url: "https://specs.apollo.dev/inaccessible/v0.2", for: SECURITY)"#,
            r#"@link(url: "https://specs.apollo.dev/authenticated/v0.1", for: SECURITY)"#,
            r#"@link(url: "https://specs.apollo.dev/requiresScopes/v0.1", for: SECURITY)"#,
            r#"@link(url: "https://specs.apollo.dev/policy/v0.1", for: SECURITY)"#,
            "directive @requiresScopes(scopes: [[requiresScopes__Scope!]!]!) on",
            "scalar requiresScopes__Scope",
            r#"a: Int @tag(name: "x") @tag(name: "y") b: Int @inaccessible c: Int @authenticated
               d: Int @requiresScopes(scopes: [["s"]]) e: Int @policy(policies: [["p"]])"#,
        ],
    );
}

#[test]
fn a_renamed_guard_has_its_standard_name_in_the_supergraph() {
    let sdl = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.9",
          import: [{name: "@inaccessible", as: "@hidden"}])
        type Query { a: Int b: Int @hidden c: Int @federation__authenticated }"#;
    check_both(
        &[v1("a", sdl)],
        &["b: Int @inaccessible c: Int @authenticated"],
        &["@hidden", "@federation__"],
    );
}

#[test]
fn demands_of_several_subgraphs_all_count() {
    let a = r#"type Query { f: Int @shareable @requiresScopes(scopes: [["a"], ["b", "c"]]) }"#;
    let b = r#"type Query { f: Int @shareable @requiresScopes(scopes: [["b"]]) }"#;
    check(&[v2("a", a), v2("b", b)], &[r#"f: Int @requiresScopes(scopes: [["a", "b"], ["b", "c"]])"#]);
}

#[test]
fn what_implementing_types_demand_the_interface_demands() {
    let sdl = r#"type Query { n: Node } interface Node { id: ID! }
        type A implements Node { id: ID! @authenticated } type B implements Node @policy(policies: [["p"]]) { id: ID! }"#;
    check(
        &[v2("a", sdl)],
        &[r#"interface Node @join__type(graph: A) @policy(policies: [["p"]]) { id: ID! @authenticated }"#],
    );
}

#[test]
fn costs_merge_to_the_greatest() {
    let a = "type Query { f: [Int] @shareable @cost(weight: 5) @listSize(assumedSize: 10) }";
    let b = "type Query { f: [Int] @shareable @cost(weight: 7) @listSize(assumedSize: 9) }";
    check(
        &[v2("a", a), v2("b", b)],
        &[
            r#"@link(url: "https://specs.apollo.dev/cost/v0.1", import: ["@listSize"])"#,
            "f: [Int] @cost(weight: 7) @listSize(assumedSize: 10, requireOneSlicingArgument: true)",
        ],
    );
}

#[test]
fn deprecations_and_scalars_specifications_are_kept() {
    let sdl =
        r#"type Query { a: Date @deprecated(reason: "old") } scalar Date @specifiedBy(url: "http://d")"#;
    check(
        &[v2("a", sdl)],
        &[
            r#"scalar Date @join__type(graph: A) @specifiedBy(url: "http://d")"#,
            r#"a: Date @deprecated(reason: "old")"#,
        ],
    );
}

#[test]
fn a_composed_directive_comes_with_its_link_and_definition() {
    let link = |version: &str, definition: &str| {
        format!(
            r#"extend schema @link(url: "https://example.org/color/v{version}", import: [{{name: "@shade", as: "@color"}}])
               @composeDirective(name: "@color") {definition}"#
        )
    };
    let a = link(
        "1.0",
        "directive @color(of: String) on FIELD_DEFINITION type Query { a: Int @color(of: \"red\") }",
    );
    let b = link("1.1", "directive @color(of: String) on FIELD_DEFINITION | OBJECT type Query { b: Int }");
    let c = "directive @color on FIELD_DEFINITION type Query { c: Int @color }";
    check_both(
        &[v2("a", &a), v2("b", &b), v2("c", c)],
        &[
            r#"@link(url: "https://example.org/color/v1.1", import: [{name: "@shade", as: "@color"}])"#,
            "directive @color(of: String) on FIELD_DEFINITION | OBJECT",
            r#"a: Int @join__field(graph: A) @color(of: "red")"#,
        ],
        &["c: Int @join__field(graph: C) @color"],
    );
}

#[test]
fn a_directive_of_operations_needs_every_subgraph() {
    let a = "directive @both(n: Int) on FIELD | QUERY directive @one on FIELD type Query { a: Int }";
    check_both(
        &[v2("a", a), v2("b", "directive @both(n: Int) on FIELD | MUTATION type Query { b: Int }")],
        &["directive @both(n: Int) on FIELD directive"],
        &["@one"],
    );
}

#[test]
fn directives_are_known_by_the_names_a_link_gives_them() {
    let sdl = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", as: "fed",
          import: [{name: "@key", as: "@primary"}])
        type Query { a: A } type A @primary(fields: "id") { id: ID! b: Int @fed__shareable }"#;
    check(&[v1("a", sdl)], &[r#"type A @join__type(graph: A, key: "id")"#]);
}

#[test]
fn the_join_version_follows_the_newest_subgraph() {
    let at = |minor: u32| {
        let link = format!("extend schema @link(url: \"https://specs.apollo.dev/federation/v2.{minor}\")");
        v1("a", &format!("{link} type Query {{ a: Int }}"))
    };
    for (minor, join) in [(0, "v0.3"), (6, "v0.3"), (7, "v0.4"), (8, "v0.5"), (12, "v0.5")] {
        check(&[at(minor)], &[&format!("https://specs.apollo.dev/join/{join}\", for: EXECUTION")]);
    }
}

#[test]
fn the_description_most_subgraphs_give_is_kept() {
    let sdl = |text: &str| format!("type Query {{ a: V }} \"{text}\" type V @shareable {{ x: Int }}");
    let b = |name: &str, text| v2(name, &sdl(text).replace("a: V", &format!("{name}: V")));
    check_both(
        &[b("b", "one"), b("c", "two"), b("d", "two")],
        &["\"\"\" two \"\"\" type V"],
        &["\"\"\" one"],
    );
}

#[test]
fn a_federation_1_extension_is_upgraded() {
    let a =
        r#"type Query { users: [User] } type User @key(fields: "id") { id: ID! name: String email: String }"#;
    let b = r#"extend type User @key(fields: "id") { id: ID! @external name: String @external email: String @external
        greeting: String @requires(fields: "name") posts: [Post] } type Post { title: String by: User @provides(fields: "id") }"#;
    check(
        &[v1("a", a), v1("b", b)],
        &[
            r#"type User @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") { id: ID!
               name: String @join__field(graph: A) @join__field(graph: B, external: true)
               email: String @join__field(graph: A)
               greeting: String @join__field(graph: B, requires: "name")"#,
            "by: User }",
        ],
    );
}

#[test]
fn what_federation_1_subgraphs_share_is_shareable() {
    let page = "type Page { cursor: String }";
    let a = format!("type Query {{ version: String a: Page }} {page}");
    let b = format!("type Query {{ version: String b: Page }} {page}");
    check(
        &[v1("a", &a), v1("b", &b)],
        &["version: String a: Page @join__field(graph: A)", "{ cursor: String }"],
    );
}

#[test]
fn a_plain_service_composes_beside_federated_ones() {
    let plain = "schema { query: Root } type Root { now: String } directive @cached on FIELD_DEFINITION";
    check(&[v2("products", PRODUCTS), v1("plain", plain)], &["now: String @join__field(graph: PLAIN)"]);
}

#[test]
fn what_only_serves_the_gateway_is_left_out() {
    let sdl = r#"scalar _Any scalar _FieldSet union _Entity = A type _Service { sdl: String }
        directive @key(fields: _FieldSet!) repeatable on OBJECT | INTERFACE
        type Query { a: A _service: _Service! _entities(representations: [_Any!]!): [_Entity]! }
        type A @key(fields: "id") { id: ID! }"#;
    check_both(
        &[v1("a", sdl)],
        &["type Query @join__type(graph: A) { a: A }"],
        &["_Any", "_Entity", "_Service", "@key("],
    );
}

#[test]
fn a_key_may_be_reached_through_other_subgraphs() {
    let a = r#"type Query { p: P } type P @key(fields: "id") { id: ID! }"#;
    let b = r#"type P @key(fields: "id") @key(fields: "sku") { id: ID! sku: ID! }"#;
    let c = r#"type P @key(fields: "sku") { sku: ID! stock: Int }"#;
    check(&[v2("a", a), v2("b", b), v2("c", c)], &["stock: Int @join__field(graph: C)"]);
}

#[test]
fn a_path_that_provides_a_field_needs_no_way_on() {
    let a = r#"type Query { p: P @provides(fields: "q { name }") } type P { q: Q }
        type Q { name: String @external }"#;
    check(
        &[v2("a", a), v2("b", "type Query { q: Q @shareable } type Q { name: String @shareable }")],
        &["p: P @join__field(graph: A, provides: \"q { name }\")"],
    );
}

#[test]
fn the_order_of_subgraphs_does_not_matter() {
    let mut subgraphs = vec![
        v2("c", "type Query { c: E } enum E { X } \"c\" type V @shareable { x: Int }"),
        v2("a", "type Query { a: E } enum E { Y } \"a\" type V @shareable { x: Int }"),
        v1("b", "type Query { b: Int } \"b\" type V { x: Int y: Int }"),
    ];
    let first = composed(&subgraphs).sdl;
    subgraphs.rotate_left(1);
    assert_eq!(composed(&subgraphs).sdl, first);
    subgraphs.swap(0, 1);
    assert_eq!(composed(&subgraphs).sdl, first);
}
