"""The result of a campaign in words: warnings, the headline, its numbers, and a few sentences on what they rest on."""
