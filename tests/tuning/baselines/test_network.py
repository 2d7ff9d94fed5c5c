import torch

from tuning.baselines.deviation.network import DistS1Network


def test_network_has_the_parameters_of_the_published_one() -> None:
    network = DistS1Network()
    assert sum(one.numel() for one in network.parameters()) == 546_688
    assert len(network.state_dict()) == 36


def test_windows_of_a_batch_are_apart() -> None:
    network = DistS1Network().eval()
    windows = torch.randn(3, 4, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        mean, log_variance = network(windows)
        alone = network(windows[1:2])
    assert mean.shape == log_variance.shape == (3, 2, 16, 16)
    torch.testing.assert_close(mean[1:2], alone[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(log_variance[1:2], alone[1], atol=1e-5, rtol=0)


def test_each_pixel_of_the_output_is_at_its_place_in_the_window() -> None:
    network = DistS1Network().eval()
    state = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    weight = state["mean_out.2.bias"]  # a token's values: VV then VH, each 8 rows of 8 px
    weight.copy_(torch.arange(128.0))
    network.load_state_dict(state)
    mean = network(torch.zeros(1, 1, 2, 16, 16))[0][0]
    assert mean[0, 0, :8].tolist() == mean[0, 8, 8:].tolist() == list(range(8))
    assert mean[1, 1, 0] == 64 + 8
