//! A supergraph written by hand, as a composer should write it: `books` owns `Book`, `reviews` extends it.

pub(crate) const SUPERGRAPH: &str = r#"
schema
  @link(url: "https://specs.apollo.dev/link/v1.0")
  @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION)
{
  query: Query
}

directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE
directive @join__field(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet, type: String, external: Boolean, override: String, usedOverridden: Boolean) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
directive @join__implements(graph: join__Graph!, interface: String!) repeatable on OBJECT | INTERFACE
directive @join__type(graph: join__Graph!, key: join__FieldSet, extension: Boolean! = false, resolvable: Boolean! = true, isInterfaceObject: Boolean! = false) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR
directive @join__unionMember(graph: join__Graph!, member: String!) repeatable on UNION
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA

scalar join__FieldSet
scalar link__Import
enum link__Purpose { SECURITY EXECUTION }

enum join__Graph {
  BOOKS @join__graph(name: "books", url: "http://books.acme.example/graphql")
  REVIEWS @join__graph(name: "reviews", url: "http://reviews.acme.example/graphql")
}

"A book."
type Book
  @join__type(graph: BOOKS, key: "id")
  @join__type(graph: REVIEWS, key: "id")
{
  id: ID!
  title: String! @join__field(graph: BOOKS)
  author: String! @join__field(graph: BOOKS)
  reviews: [Review!]! @join__field(graph: REVIEWS)
}

type Query
  @join__type(graph: BOOKS)
  @join__type(graph: REVIEWS)
{
  books: [Book!]! @join__field(graph: BOOKS)
  book(id: ID!): Book @join__field(graph: BOOKS)
  latestReviews(first: Int = 10): [Review!]! @join__field(graph: REVIEWS)
}

type Review
  @join__type(graph: REVIEWS)
{
  id: ID!
  rating: Int!
  body: String!
  book: Book!
}
"#;
