"""Plain records, Parquet schemas and the bundled hosts, guests and force fields."""
