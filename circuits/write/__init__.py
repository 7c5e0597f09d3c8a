"""Writing an array: circuits of a pulse, controllers, plants."""
