"""Command lines with a mistake in them, and what is to be said of each."""

MODEL = ["--model", "MLP", "--model.hidden_sizes", "[8]"]
SHORT = ["--trainer.max_steps", "1", "--trainer.accelerator", "cpu"]
OPTIMIZER = ["--optimizer", "Adam", "--optimizer.lr", "0.01", *SHORT]
FIT = ["fit", *MODEL, *OPTIMIZER]
TEST = ["test", *MODEL, "--trainer.accelerator", "cpu"]

# name: (arguments, what the message must hold); paths are relative to a folder that `world` fills
MISTAKES: dict[str, tuple[list[str], list[str]]] = {
    # commands
    "unknown command": (["fti"], ["unknown command 'fti'", "cadence fit"]),
    "unknown section of list": (["list", "modles"], ["'modles'", "models"]),
    "unknown dataset to fetch": (["data", "fetch", "MNIS"], ["'MNIS'", "FashionMNIST"]),
    "misspelt option of fetch": (["data", "fetch", "--froce", "MNIST"], ["--froce", "nearest: --force"]),
    "option of another action on data": (["data", "verify", "--force"], ["--force", "no such option", "verify --help"]),
    "unknown option of list": (["list", "--models"], ["--models", "no such option"]),
    "nothing to fetch": (["data", "fetch"], ["name a dataset", "MNIST"]),
    "unknown action on data": (["data", "fecth", "MNIST"], ["fecth", "fetch"]),
    # names
    "unknown model": (["fit", "--model", "Smalcnn", *OPTIMIZER], ["model:", "Smalcnn", "nearest: SmallCNN"]),
    "model that is no module": (["fit", "--model", "torch.nn.Linear", *OPTIMIZER], ["model:", "SmallCNN"]),
    "model of no package": (["fit", "--model", "nowhere.Net", *OPTIMIZER], ["model:", "No module named 'nowhere'"]),
    "model that is a base": (["fit", "--model", "ImageClassifier", *OPTIMIZER], ["model:", "cadence list models"]),
    "unknown dataset": ([*FIT, "--data", "MNISTT"], ["data:", "MNISTT", "nearest: MNIST"]),
    "unknown optimizer": (["fit", *MODEL, "--optimizer", "Adaam"], ["optimizer:", "Adaam", "nearest: Adam"]),
    "unknown transform": ([*FIT, "--data.augment+=RandomCropp"], ["data.augment:", "nearest: RandomCrop"]),
    "unknown callback": ([*FIT, "--trainer.callbacks+=EarlyStop"], ["trainer.callbacks:", "nearest: EarlyStopping"]),
    "unknown accelerator": ([*FIT, "--trainer.accelerator", "gpuu"], ["trainer.accelerator", "gpuu", "cpu"]),
    "unknown strategy": ([*FIT, "--trainer.strategy", "dpp"], ["trainer.strategy", "dpp", "ddp"]),
    # options
    "misspelt option of the model": ([*FIT, "--model.hiddn", "3"], ["model.hiddn", "MLP", "hidden_sizes"]),
    "option far from all": ([*FIT, "--model.zzz", "3"], ["model.zzz", "it has: hidden_sizes"]),
    "misspelt option of the data": ([*FIT, "--data.batchsize", "3"], ["data.batchsize", "nearest: batch_size"]),
    "misspelt option of the optimizer": ([*FIT, "--optimizer.lrr", "3"], ["optimizer.lrr", "nearest: lr"]),
    "misspelt option of a transform": (
        [*FIT, "--data.augment+=RandomCrop", "--data.augment.paddin", "1"],
        ["data.augment.paddin", "nearest: padding"],
    ),
    "misspelt option of the trainer": ([*FIT, "--trainer.max_epocs", "3"], ["max_epocs", "trainer.max_epochs"]),
    "abbreviated option": ([*FIT, "--trainer.max_epoch", "3"], ["trainer.max_epoch:", "trainer.max_epochs"]),
    "misspelt option of the run": ([*FIT, "--run_dri", "x"], ["run_dri", "nearest: run_dir"]),
    "stray word": ([*FIT, "stray"], ["'stray'", "--help"]),
    "option without a value": ([*FIT, "--data.batch_size"], ["data.batch_size", "VALUE"]),
    "-c without a value": (["fit", "-c"], ["-c needs a file", "cadence list"]),
    "--config without a value": (["fit", "--config="], ["--config needs a file", "cadence list"]),
    "misspelt experiment behind an equals sign": (["fit", "-c=digits_dmo"], ["digits_dmo", "nearest: digits_demo"]),
    "run_dir without a value": ([*FIT, "--run_dir", "--data", "Digits"], ["--run_dir needs a value", "directory"]),
    "--resume with a run_dir": (["fit", "--resume=run", "--run_dir=other"], ["run_dir cannot go with --resume"]),
    "missing model": (["fit", *OPTIMIZER], ["model is missing", "--model SmallCNN"]),
    "missing optimizer": (["fit", *MODEL, "--trainer.max_epochs", "1"], ["optimizer is missing", "--optimizer Adam"]),
    "length of training": (
        ["fit", *MODEL, "--optimizer", "Adam"],
        ["trainer.max_epochs is missing", "--trainer.max_epochs 3"],
    ),
    "option of no optimizer": (["fit", *MODEL, "--optimizer.lr", "1"], ["optimizer is missing", "--optimizer Adam"]),
    "missing option of a transform": ([*FIT, "--data.augment+=RandomCrop"], ["data.augment.padding is missing"]),
    "option that follows from another": ([*FIT, "--model.num_classes", "7"], ["model.num_classes", "dataset"]),
    "seed of the data": ([*FIT, "--data.seed", "7"], ["data.seed", "seed_everything"]),
    # values
    "wrong type": ([*FIT, "--data.batch_size", "x"], ["data.batch_size", "a whole number", "'x'"]),
    "wrong type of a list": ([*FIT, "--model.hidden_sizes", "x"], ["model.hidden_sizes", "a list", "'x'"]),
    "wrong type of an item": ([*FIT, "--model.hidden_sizes", "[a]"], ["model.hidden_sizes", "a whole number", "'a'"]),
    "wrong choice": ([*FIT, "--model.activation", "reluu"], ["model.activation", "sigmoid", "nearest: relu"]),
    "wrong truth": ([*FIT, "--test_after_fit", "maybe"], ["test_after_fit", "true or false", "'maybe'"]),
    "wrong learning rate": ([*FIT, "--optimizer.lr", "fast"], ["optimizer.lr", "a number", "'fast'"]),
    "wrong precision": ([*FIT, "--trainer.precision", "17"], ["trainer.precision", "bf16-mixed", "'17'"]),
    "wrong seed": ([*FIT, "--seed_everything", "abc"], ["seed_everything", "a whole number", "'abc'"]),
    "negative seed": ([*FIT, "--seed_everything", "-4"], ["seed_everything", "-4"]),
    "negative batch": ([*FIT, "--data.batch_size", "-3"], ["data.batch_size", "at least 1", "-3"]),
    "val_fraction 2": ([*FIT, "--data.val_fraction", "2"], ["data.val_fraction", "[0, 1)", "2"]),
    "nothing to train on": ([*FIT, "--data.val_fraction", "0.9999"], ["val_fraction"]),
    "negative padding": (
        [*FIT, "--data.augment+=RandomCrop", "--data.augment.padding", "-1"],
        ["data.augment.padding", "-1"],
    ),
    "padding wider than the images": (
        [*FIT, "--data.augment+=RandomCrop", "--data.augment.padding", "1000000000"],
        ["data.augment.padding must be at most the images' 8", "1000000000", "1 is usual"],
    ),
    "cutout as large as the images": (
        [*FIT, "--data.augment+=Cutout", "--data.augment.size", "8"],
        ["data.augment.size 8 can hide a whole image", "4, is usual"],
    ),
    "a million copies": (
        [*FIT, "--trainer.callbacks+=BatchAugmentedCutout", "--trainer.callbacks.copies", "1000000"],
        ["trainer.callbacks.copies", "[1, 1000]", "1000000"],
    ),
    "images of another size than the model's": (
        [*FIT, "--data.augment+=Resize", "--data.augment.size", "16"],
        ["data.augment: ", "a side of 16", "set data.in_channels and data.image_size"],
    ),
    "colour by hand": ([*FIT, "--data.augment+=GreyToRGB"], ["data.augment.mean", "(3), got 1", "data.in_channels"]),
    "short range test": (
        ["lr-range-test", *MODEL, *OPTIMIZER, "--range_test.steps", "3"],
        ["range_test.steps must lie in [20, 1000000], got 3", "200 is usual"],
    ),
    "split_seed of 30 digits": ([*FIT, "--data.split_seed", "9" * 30], ["data.split_seed", "[0, 4294967295]", "999"]),
    "a network without end": (
        ["fit", "--model", "ResNet", "--model.depth", "6000000002", *OPTIMIZER],
        ["model.depth", "8 to 1202", "6000000002"],
    ),
    "a layer that no memory holds": ([*FIT, "--model.hidden_sizes", "[1000000000]"], ["model.hidden_sizes", "weights"]),
    "negative learning rate": ([*FIT, "--optimizer.lr", "-1"], ["optimizer.lr", "-1"]),
    "rate below all": ([*FIT, "--optimizer.lr", "-inf"], ["optimizer.lr", "-inf"]),
    "rate with a minus and an exponent": ([*FIT, "--optimizer.lr", "-1e-3"], ["optimizer.lr must", "-0.001", "try"]),
    "negative learning rate of Madam": (
        ["fit", *MODEL, *SHORT, "--optimizer", "Madam", "--optimizer.lr", "-1"],
        ["optimizer", "lr", "-1"],
    ),
    "beta of 2": ([*FIT, "--optimizer.betas", "[2, 0.9]"], ["optimizer.betas", "[0, 1)", "2"]),
    "negative hidden layer": ([*FIT, "--model.hidden_sizes", "[-3]"], ["model.hidden_sizes", "at least 1", "-3"]),
    "micro-batch of none": ([*FIT, "--model.micro_batch_size", "0"], ["model.micro_batch_size", "at least 1"]),
    "ratio of no parameter": ([*FIT, "--model.lr_ratios", "{head: 2}"], ["lr_ratios", "head", "layers"]),
    "micro-batch of one": (
        ["fit", "--model", "ThirteenLayerCNN", *OPTIMIZER, "--data.image_size", "32", "--model.micro_batch_size", "1"],
        ["model.micro_batch_size", "normalisation", "change it"],
    ),
    "last batch of one": (
        ["fit", "--model", "ThirteenLayerCNN", *OPTIMIZER, "--data.image_size", "32", "--data.batch_size", "997"],
        ["data.batch_size", "drop_last"],
    ),
    "groups 3": (
        ["fit", "--model", "AlexNet", "--model.groups", "3", "--data.image_size", "224", *OPTIMIZER],
        ["model.groups", "1, 2", "'3'"],
    ),
    "depth 45": (["fit", "--model", "ResNet", "--model.depth", "45", *OPTIMIZER], ["model.depth", "45", "44"]),
    "images too small": (["fit", "--model", "AlexNet", *OPTIMIZER], ["AlexNet", "224 x 224", "image_size"]),
    "images smaller than their own": (
        [*FIT, "--data.image_size", "4", "--data.fit", "pad"],
        ["data.image_size", "4", "fit to resize"],
    ),
    "channels that there are not": ([*FIT, "--data.in_channels", "2"], ["data.in_channels", "1 or 3"]),
    "negative epochs": ([*FIT, "--trainer.max_epochs", "-5"], ["trainer.max_epochs", "-5"]),
    "no log": ([*FIT, "--trainer.log_every_n_steps", "0"], ["trainer.log_every_n_steps", "at least 1"]),
    "no checkpoint ever": ([*FIT, "--checkpoint_every", "0"], ["checkpoint_every", "at least 1"]),
    "9,999 devices": ([*FIT, "--trainer.devices", "9999"], ["trainer.devices", "9999", "cores"]),
    "Lightning's clipping": ([*FIT, "--trainer.gradient_clip_val", "1"], ["gradient_clip_val", "gradient_clip_norm"]),
    "Lightning's accumulation": (
        [*FIT, "--trainer.accumulate_grad_batches", "2"],
        ["accumulate_grad_batches", "model.micro_batch_size"],
    ),
    # files
    "missing file": (["fit", "-c", "none.yaml"], ["none.yaml", "cadence list"]),
    "misspelt experiment": (["fit", "-c", "small_cnn_mnits"], ["small_cnn_mnits", "nearest: small_cnn_mnist"]),
    "tab": (["fit", "-c", "tab.yaml"], ["tab.yaml, line 2", "spaces"]),
    "open bracket": (["fit", "-c", "bracket.yaml"], ["bracket.yaml, line 5", "bracket"]),
    "list for a file": (["fit", "-c", "list.yaml"], ["list.yaml", "mapping", "a list"]),
    "binary file": (["fit", "-c", "binary.yaml"], ["binary.yaml", "text"]),
    "empty file": (["fit", "-c", "empty.yaml"], ["empty.yaml", "empty", "model"]),
    "unknown section in a file": (["fit", "-c", "section.yaml"], ["modle", "nearest: model"]),
    "unknown option in a file": (["fit", "-c", "option.yaml"], ["model.hiden_sizes", "nearest: hidden_sizes"]),
    "linked option in a file": (["fit", "-c", "linked.yaml"], ["linked.yaml", "model.num_classes", "dataset"]),
    # run directories
    "run_dir below a file": ([*FIT, "--run_dir", "plain.txt/run"], ["run_dir", "plain.txt", "name another"]),
    "run_dir that cannot be written": ([*FIT, "--run_dir", "/proc/run"], ["run_dir /proc/run", "name another"]),
    "occupied run_dir": ([*FIT, "--run_dir", "full"], ["run_dir full", "not empty", "name another"]),
    "run_dir of a run": ([*FIT, "--run_dir", "run"], ["run_dir run", "name another", "cadence fit --resume /"]),
    "a parent of a drawing": (["plot-schedule", "--from", "run"], ["--from goes with fit", "-c RUN_DIR/config.yaml"]),
    "a parent of a test": (["test", "--from=run"], ["--from goes with fit", "-c RUN_DIR/config.yaml"]),
    "two runs to resume": (["fit", "--resume", "run", "--resume=begun"], ["--resume is given twice", "run", "begun"]),
    "resume of nothing": (["fit", "--resume", "none"], ["none does not exist", "fit printed"]),
    "resume of no run": (["fit", "--resume", "full"], ["full", "config.yaml"]),
    "resume without a value": (["fit", "--resume"], ["--resume", "directory"]),
    "resume of a damaged checkpoint": (
        ["fit", "--resume", "torn"],
        ["last.ckpt is damaged", "delete", "cadence fit --resume /"],
    ),
    "resume with another optimizer": (
        ["fit", "--resume", "run", "--optimizer", "SGD"],
        ["optimizer is Adam, and would be SGD", "new run"],
    ),
    "resume with other layers": (
        ["fit", "--resume", "run", "--model.hidden_sizes", "[5]"],
        ["model.hidden_sizes is [8], and would be [5]", "leave it out"],
    ),
    # checkpoints
    "test of nothing": (TEST, ["checkpoint is missing", "--run_dir"]),
    "missing checkpoint": ([*TEST, "--checkpoint", "none.ckpt"], ["none.ckpt", "no such file"]),
    "damaged checkpoint": ([*TEST, "--checkpoint", "torn/checkpoints/last.ckpt"], ["last.ckpt", "damaged"]),
    "text for a checkpoint": ([*TEST, "--checkpoint", "plain.txt"], ["plain.txt", "no checkpoint"]),
    "code in a checkpoint": ([*TEST, "--checkpoint", "code.ckpt"], ["code.ckpt", "holds code", "system"]),
    "weights alone": ([*TEST, "--checkpoint", "weights.ckpt"], ["weights.ckpt", "state_dict"]),
    "wrong checkpoint for the model": (
        ["test", "--model", "SmallCNN", "--checkpoint", "run/checkpoints/last.ckpt"],
        ["last.ckpt does not fit SmallCNN", "use the model"],
    ),
    "test of a run that is not": (["test", "--run_dir", "none"], ["none does not exist", "fit printed"]),
    # datasets
    "damaged cache": ([*FIT, "--data", "MNIST"], ["damaged", "manifest.json", "cadence data fetch --force MNIST"]),
    "cache below a file": ([*FIT, "--data", "CIFAR10", "CACHE=plain.txt/data"], ["plain.txt", "CADENCE_DATA"]),
}
