"""Names of the axes, in words and with example levels; imports nothing, so that ``--help`` answers at once."""

AXIS_LABELS: dict[str, tuple[str, str]] = {
    "channels": ("channels of the input", "s1,VV,s1+DEM"),
    "window": ("acquisitions before and after the event", "pre:all/post:1..8"),
    "timesteps": ("number of acquisitions", "2,4,8"),
    "steps": ("choice of acquisitions", "event,even"),
    "train": ("share of the train tiles", "0.1,compact:0.1,1"),
    "shots": ("labelled tiles of the tested region", "0,1,5,20"),
    "loss": ("training loss", "bce_dice,tversky"),
    "label_noise": ("errors in the train labels", "0,0.1,drop=0.1+shift=1"),
    "augment": ("augmentation", "turn,turn+cut=0.5,none"),
    "norm": ("normalisation statistics", "train,published"),
    "recipe": ("hyperparameters", "searched,published"),
    "init": ("weights that trainings start from", "random,hokkaido-unet@champion"),
    "search_seed": ("seed of the search", "1,2,3"),
    "split": ("split", "blocks,seed42"),
    "test": ("tested region", "hokkaido,noto"),
    "transfer": ("regions trained on and tested on", "hokkaido:noto,noto:hokkaido or pairs"),
    "data": ("tiles", "twin,PATH"),
}
