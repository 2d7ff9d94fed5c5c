"""From MLflow runs to tables, figures and the report page."""
