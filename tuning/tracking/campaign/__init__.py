"""A campaign as a whole in MLflow: its scores, the views of its runs, and what its folder keeps to send it again."""
