//! Two subgraphs made with async-graphql: `books` owns books, `reviews` extends them.

use async_graphql::{
    EmptyMutation, EmptySubscription, Error, ErrorExtensions, ID, Object, Schema, SimpleObject,
};

use crate::support::Server;

#[derive(Clone, SimpleObject)]
pub(crate) struct Book {
    id: ID,
    title: String,
    author: String,
    subtitle: Option<String>,
}

fn book(id: &str) -> Option<Book> {
    let (title, author, subtitle) = match id {
        "1" => ("Dune", "Frank Herbert", None),
        "2" => ("Emma", "Jane Austen", Some("A \"novel\" – in three volumes")),
        "3" => ("Ulysses", "James Joyce", None),
        _ => return None,
    };
    Some(Book {
        id: id.into(),
        title: title.into(),
        author: author.into(),
        subtitle: subtitle.map(str::to_owned),
    })
}

pub(crate) struct BooksQuery;

#[Object(name = "Query")]
impl BooksQuery {
    async fn books(&self, #[graphql(default = 10)] first: usize) -> Vec<Book> {
        ["1", "2", "3"].into_iter().filter_map(book).take(first).collect()
    }

    async fn book(&self, id: ID) -> Option<Book> {
        book(&id)
    }

    #[graphql(entity)]
    async fn find_book_by_id(&self, id: ID) -> Option<Book> {
        book(&id)
    }
}

pub(crate) async fn books() -> Server {
    let schema = Schema::build(BooksQuery, EmptyMutation, EmptySubscription).enable_federation().finish();
    Server::start("books", schema).await
}

#[derive(Clone, SimpleObject)]
pub(crate) struct Review {
    id: ID,
    rating: i32,
    body: String,
    book: ReviewedBook,
}

#[derive(Clone)]
pub(crate) struct ReviewedBook {
    id: ID,
}

#[Object(name = "Book")]
impl ReviewedBook {
    async fn id(&self) -> &ID {
        &self.id
    }

    async fn reviews(&self) -> Result<Vec<Review>, Error> {
        match self.id.as_str() {
            "3" => Err(Error::new("the reviews of this book are lost")
                .extend_with(|_, extensions| extensions.set("code", "LOST"))),
            id => Ok(reviews_of(id)),
        }
    }

    /// As `reviews`, but may be null.
    async fn reviews_if_any(&self) -> Result<Option<Vec<Review>>, Error> {
        self.reviews_of_self().map(Some)
    }
}

impl ReviewedBook {
    fn reviews_of_self(&self) -> Result<Vec<Review>, Error> {
        if self.id.as_str() == "3" { Err(Error::new("lost")) } else { Ok(reviews_of(&self.id)) }
    }
}

fn reviews_of(book: &str) -> Vec<Review> {
    let all = [("r1", "1", 5, "Spice."), ("r2", "1", 4, "Sand."), ("r3", "2", 5, "Wit.")];
    all.into_iter()
        .filter(|(_, of, _, _)| *of == book)
        .map(|(id, of, rating, body)| Review {
            id: id.into(),
            rating,
            body: body.into(),
            book: ReviewedBook { id: of.into() },
        })
        .collect()
}

pub(crate) struct ReviewsQuery;

#[Object(name = "Query")]
impl ReviewsQuery {
    async fn latest_reviews(&self) -> Vec<Review> {
        ["1", "2"].into_iter().flat_map(reviews_of).collect()
    }

    #[graphql(entity)]
    async fn find_book_by_id(&self, id: ID) -> ReviewedBook {
        ReviewedBook { id }
    }
}

pub(crate) struct ReviewsMutation;

#[Object(name = "Mutation")]
impl ReviewsMutation {
    async fn add_review(&self, book: ID, rating: i32) -> Review {
        Review { id: "new".into(), rating, body: String::new(), book: ReviewedBook { id: book } }
    }
}

pub(crate) async fn reviews() -> Server {
    let schema = Schema::build(ReviewsQuery, ReviewsMutation, EmptySubscription).enable_federation().finish();
    Server::start("reviews", schema).await
}

pub(crate) struct Weather;

#[Object(name = "Query")]
impl Weather {
    /// How warm it is.
    async fn temperature(&self, #[graphql(default = 0)] day: i32) -> f64 {
        20.5 + f64::from(day)
    }
}

/// A service that knows nothing of federation.
pub(crate) async fn weather() -> Server {
    Server::start("weather", Schema::new(Weather, EmptyMutation, EmptySubscription)).await
}
