pub enum Order {
    RowMajor,
    ColumnMajor,
}
pub enum Floats<'a> {
    F32(&'a mut [f32]),
    F64(&'a mut [f64]),
}
pub fn fill_matrix(_b: &arrow_array::RecordBatch, _o: Order, _f: Floats<'_>) -> hypostyle::Result<()> {
    Ok(())
}
