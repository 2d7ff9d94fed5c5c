"""Parts of the augmentation that move pixels or cut series, on any device."""
