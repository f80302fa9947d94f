//! The figures of each class on the test rows.

use crate::analysis::confusion::Matrix;
use crate::cli::figures::{count, value};
use crate::cli::table::{Cell, Table, cut};
use crate::store::Confusion;

/// One row per class, in the order of the labels.
pub fn table(tested: &Confusion) -> Table {
    let mut table = Table::new(&["~class", ">rows", ">precision", ">recall", ">f1"]);
    for (label, class) in tested.labels.iter().zip(Matrix::new(tested).classes()) {
        let figures = [class.precision, class.recall, class.f1].map(|x| Cell::from(value(x)));
        let start = [cut(label, 40).into(), count(class.support).into()];
        table.row(start.into_iter().chain(figures));
    }
    table
}
