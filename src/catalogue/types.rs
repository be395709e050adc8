use crate::catalogue::{Catalogue, table};
static TABLE: table::Table = table::Table { name: "", version: "", executors: &[], types: &[], actions: &[] };
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: std::sync::OnceLock<Catalogue> = std::sync::OnceLock::new();
    CATALOGUE.get_or_init(|| Catalogue::from_table(&TABLE))
}
