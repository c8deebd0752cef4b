// Command simd is the simulation chain of the Cosmos SDK as the end-to-end tests run it. A build is told its version with
//
//	-ldflags "-X github.com/cosmos/cosmos-sdk/version.Version=v2"
//
// which `simd version` and the RPC's /abci_info then give. It carries out the upgrade plan of the name of its version and no
// other, as a release of a chain does.
package main

import (
	"errors"
	"io"
	"os"

	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/server"
	svrcmd "github.com/cosmos/cosmos-sdk/server/cmd"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	"github.com/cosmos/cosmos-sdk/simapp"
	"github.com/cosmos/cosmos-sdk/simapp/simd/cmd"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/version"
	"github.com/cosmos/cosmos-sdk/x/crisis"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
	"github.com/spf13/cast"
	"github.com/tendermint/tendermint/libs/log"
	dbm "github.com/tendermint/tm-db"
)

func main() {
	root, _ := cmd.NewRootCmd()
	// The command of simapp makes its application itself, so that no upgrade handler can be added to it.
	for _, command := range root.Commands() {
		if command.Name() == "start" {
			root.RemoveCommand(command)
		}
	}
	start := server.StartCmd(newApp, simapp.DefaultNodeHome)
	crisis.AddModuleInitFlags(start)
	root.AddCommand(start)

	if err := svrcmd.Execute(root, "", simapp.DefaultNodeHome); err != nil {
		var code server.ErrorCode
		if errors.As(err, &code) {
			os.Exit(code.Code)
		}
		os.Exit(1)
	}
}

func newApp(logger log.Logger, db dbm.DB, trace io.Writer, options servertypes.AppOptions) servertypes.Application {
	skip := map[int64]bool{}
	for _, height := range cast.ToIntSlice(options.Get(server.FlagUnsafeSkipUpgrades)) {
		skip[int64(height)] = true
	}
	app := simapp.NewSimApp(
		logger, db, trace, true, skip,
		cast.ToString(options.Get(flags.FlagHome)),
		cast.ToUint(options.Get(server.FlagInvCheckPeriod)),
		simapp.MakeTestEncodingConfig(),
		options,
		server.DefaultBaseappOptions(options)...,
	)
	// All versions are of the same code, so there is nothing to migrate.
	app.UpgradeKeeper.SetUpgradeHandler(
		version.Version,
		func(_ sdk.Context, _ upgradetypes.Plan, versions module.VersionMap) (module.VersionMap, error) {
			return versions, nil
		},
	)
	return app
}
