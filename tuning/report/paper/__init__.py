"""What leaves the report for a paper: lines to quote, BibTeX entries, scope, and answers to reviewers' checklists."""
