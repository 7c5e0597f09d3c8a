from .config.schema import Config as Config
