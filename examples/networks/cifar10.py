"""CIFAR-10 as one file of arrays, from the "binary version" of its makers (https://www.cs.toronto.edu/~kriz/cifar.html).

python examples/networks/cifar10.py cifar-10-batches-bin --out cifar10.npz
"""

import argparse
from pathlib import Path

import numpy as np

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]
TEST = ["test_batch.bin"]
RECORD = 1 + 3 * 32 * 32


def main() -> None:
    """Write the images (count, 3, 32, 32) and classes of training and test set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", type=Path, help="with data_batch_1.bin to data_batch_5.bin and test_batch.bin"
    )
    parser.add_argument("--out", type=Path, required=True, help="the .npz file")
    chosen = parser.parse_args()
    train, test = (read([chosen.folder / name for name in names]) for names in (TRAIN, TEST))
    np.savez(
        chosen.out,
        train_images=train[0],
        train_labels=train[1],
        test_images=test[0],
        test_labels=test[1],
        class_names=np.array(CLASSES),
    )


def read(files: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Images and classes: a record is its class, then 32 x 32 red, green and blue pixels, line by line."""
    records = np.concatenate([np.fromfile(file, dtype=np.uint8).reshape(-1, RECORD) for file in files])
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


if __name__ == "__main__":
    main()
